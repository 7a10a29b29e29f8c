/* libwebsockets of Debian, in the manner of its minimal examples: what came in
 * waits in the session's queue, and one write is made each time the socket is
 * writable.
 *
 *   lws MODE PORT EXTENSION [CERT KEY]     prints `ready PORT`
 *
 * The loop is the library's own, on poll: with libuv's it is slower, at 256
 * connections too.
 */

#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64 << 10, QUEUE_MAX = 64 };

/* A frame, or a whole message that many get; written from behind LWS_PRE. */
struct message {
  unsigned users;
  unsigned how; /* enum lws_write_protocol */
  size_t size;
  unsigned char data[];
};

struct item {
  struct item *next;
  struct message *message;
};

struct session {
  struct lws *wsi;
  struct session *next; /* of everybody */
  struct item *head;
  struct item **tail;
  unsigned waiting;
  int stopped;
  int written; /* the head of the queue is */
  unsigned char *whole; /* what has come of a message */
  size_t filled;
};

static struct session *everybody;
static int fanout;
static int deflated;

static struct message *make(const void *data, size_t size, unsigned how) {
  struct message *m = malloc(sizeof *m + LWS_PRE + size);

  if (m == NULL) abort();
  m->users = 0;
  m->how = how;
  m->size = size;
  memcpy(m->data + LWS_PRE, data, size);
  return m;
}

static void enqueue(struct session *s, struct message *m) {
  struct item *item = malloc(sizeof *item);

  if (item == NULL) abort();
  item->next = NULL;
  item->message = m;
  m->users++;
  *s->tail = item;
  s->tail = &item->next;
  s->waiting++;
  lws_callback_on_writable(s->wsi);
}

static void dequeue(struct session *s) {
  struct item *item = s->head;

  s->head = item->next;
  if (s->head == NULL) s->tail = &s->head;
  s->waiting--;
  if (--item->message->users == 0) free(item->message);
  free(item);
}

static unsigned kind_of(struct lws *wsi) {
  return lws_frame_is_binary(wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
}

/* A piece of a frame goes back as one of the message's frames. */
static void echo(struct session *s, const void *in, size_t size) {
  int last = lws_is_final_fragment(s->wsi);
  int how = lws_write_ws_flags((int)kind_of(s->wsi),
      lws_is_first_fragment(s->wsi), last);

  enqueue(s, make(in, size, (unsigned)how));
  if (s->waiting > QUEUE_MAX && !s->stopped) {
    s->stopped = 1;
    lws_rx_flow_control(s->wsi, 0);
  }
}

/* A whole message, for everybody or for the one it came from. */
static void gather(struct session *from, const void *in, size_t size) {
  struct message *m;
  struct session *s;

  from->whole = realloc(from->whole, from->filled + size + 1);
  if (from->whole == NULL) abort();
  memcpy(from->whole + from->filled, in, size);
  from->filled += size;
  if (!lws_is_final_fragment(from->wsi)) return;
  m = make(from->whole, from->filled, kind_of(from->wsi));
  from->filled = 0;
  if (!fanout) {
    enqueue(from, m);
    return;
  }
  for (s = everybody; s != NULL; s = s->next) enqueue(s, m);
}

static int put(struct session *s) {
  struct message *m;

  /* The library may still read what it compresses until it calls again. */
  if (s->written) dequeue(s);
  s->written = 0;
  if (s->head == NULL) return 0;
  m = s->head->message;
  if (lws_write(s->wsi, m->data + LWS_PRE, m->size,
          (enum lws_write_protocol)m->how) < (int)m->size) {
    return -1;
  }
  s->written = deflated;
  if (!deflated) dequeue(s);
  if (s->waiting > (unsigned)s->written) lws_callback_on_writable(s->wsi);
  if (s->stopped && s->waiting < QUEUE_MAX / 2) {
    s->stopped = 0;
    lws_rx_flow_control(s->wsi, 1);
  }
  return 0;
}

static void begin(struct session *s, struct lws *wsi) {
  memset(s, 0, sizeof *s);
  s->wsi = wsi;
  s->tail = &s->head;
  if (deflated) {
    lws_set_extension_option(wsi, "permessage-deflate", "compression_level",
        "6");
  }
  if (!fanout) return;
  s->next = everybody;
  everybody = s;
}

static void finish(struct session *s) {
  struct session **at = &everybody;

  while (*at != NULL && *at != s) at = &(*at)->next;
  if (*at == s) *at = s->next;
  while (s->head != NULL) dequeue(s);
  free(s->whole);
}

static int serve(struct lws *wsi, enum lws_callback_reasons reason, void *user,
    void *in, size_t size) {
  struct session *s = user;

  switch (reason) {
  case LWS_CALLBACK_ESTABLISHED:
    begin(s, wsi);
    return 0;
  case LWS_CALLBACK_RECEIVE:
    if (fanout || deflated) {
      gather(s, in, size);
    } else {
      echo(s, in, size);
    }
    return 0;
  case LWS_CALLBACK_SERVER_WRITEABLE:
    return put(s);
  case LWS_CALLBACK_CLOSED:
    finish(s);
    return 0;
  default:
    return 0;
  }
}

static const struct lws_protocols protocols[] = {
  { "http", lws_callback_http_dummy, 0, 0, 0, NULL, 0 },
  { "echo", serve, sizeof(struct session), CHUNK, 0, NULL, 0 },
  { NULL, NULL, 0, 0, 0, NULL, 0 },
};

static const struct lws_extension extensions[] = {
  { "permessage-deflate", lws_extension_callback_pm_deflate,
      "permessage-deflate; client_no_context_takeover;"
      " server_no_context_takeover" },
  { NULL, NULL, NULL },
};

/* Clients name no subprotocol: those get the second of the list. */
static const struct lws_protocol_vhost_options is_default = {
  NULL, NULL, "default", "1"
};
static const struct lws_protocol_vhost_options options = {
  NULL, &is_default, "echo", ""
};

int main(int argc, char **argv) {
  struct lws_context_creation_info info;
  struct lws_context *context;
  struct lws_vhost *vhost;

  if (argc != 4 && argc != 6) {
    fprintf(stderr, "usage: %s MODE PORT EXTENSION [CERT KEY]\n", argv[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  lws_set_log_level(LLL_ERR, NULL);
  fanout = strcmp(argv[1], "fanout") == 0;
  memset(&info, 0, sizeof info);
  info.port = atoi(argv[2]);
  info.iface = "127.0.0.1";
  info.protocols = protocols;
  info.pvo = &options;
  info.pt_serv_buf_size = CHUNK;
  info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
  deflated = strcmp(argv[3], "deflate") == 0;
  if (deflated) info.extensions = extensions;
  if (argc == 6) {
    info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.ssl_cert_filepath = argv[4];
    info.ssl_private_key_filepath = argv[5];
  }
  context = lws_create_context(&info);
  vhost = context == NULL ? NULL : lws_create_vhost(context, &info);
  if (vhost == NULL) return 1;
  printf("ready %d\n", lws_get_vhost_listen_port(vhost));
  fflush(stdout);
  while (lws_service(context, 0) >= 0) continue;
  lws_context_destroy(context);
  return 0;
}
