#include "support/opening.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "support/broken.h"
#include "support/pattern.h"

unsigned opening_bit(int status) {
  static const int statuses[] = {400, 405, 413, 426, 501};
  unsigned i;
  for (i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
    if (statuses[i] == status)
      return 1u << i;
  return 0;
}

/* ---- requests ------------------------------------------------------------ */

/* A host that is not empty, perhaps with a port (RFC 3986, 3.2). */
static bool is_authority(const char *s) {
  static struct pattern address = PATTERN("\\[[0-9A-Fa-f:.]+](:0*[0-9]{0,5})?");
  static struct pattern name = PATTERN(
      "([A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+(:0*[0-9]{0,5})?");
  const char *end = strchr(s, ']'), *port = strrchr(s, ':');
  char host[INET6_ADDRSTRLEN];
  uint8_t bytes[16];
  if (port != NULL && (end == NULL || port > end) && atol(port + 1) > 65535)
    return false;
  if (s[0] != '[' || end == NULL)
    return pattern_fits(&name, s, strlen(s));
  if (end - s > INET6_ADDRSTRLEN || !pattern_fits(&address, s, strlen(s)))
    return false;
  (void)snprintf(host, sizeof host, "%.*s", (int)(end - s) - 1, s + 1);
  return inet_pton(AF_INET6, host, bytes) == 1;
}

static unsigned judge_where(const struct http *h) {
  const char *host = http_only(h, "host");
  size_t hosts = http_count(h, "host");
  bool bad = hosts > 1 || (hosts == 0 && h->minor != 0) ||
             (host != NULL && !is_authority(host)) || h->target[0] != '/' ||
             (h->authority != NULL && !is_authority(h->authority)) ||
             http_count(h, "origin") > 1;
  return bad ? OPENING_400 : 0;
}

/* RFC 9110, 8.6: a number, or the same one several times. */
static unsigned judge_length(const struct http *h) {
  static struct pattern numbers =
      PATTERN("[ \t]*[0-9]+[ \t]*(,[ \t]*[0-9]+[ \t]*)*");
  struct blob all = {NULL, 0, 0};
  char *at, *first, *end;
  unsigned fault = 0;
  size_t size;
  http_join(&all, h, "content-length");
  at = (char *)all.mem;
  if (!pattern_fits(&numbers, at, strlen(at)))
    fault = OPENING_400;
  first = at + strspn(at, " \t0");
  size = strspn(first, "0123456789");
  if (fault == 0 && size > 0)
    fault = OPENING_413;
  for (; (fault & OPENING_400) == 0 && at != NULL; at = end) {
    end = strchr(at, ',');
    if (end != NULL)
      end++;
    at += strspn(at, " \t0");
    if (strspn(at, "0123456789") != size || memcmp(at, first, size) != 0)
      fault = OPENING_400;
  }
  blob_free(&all);
  return fault;
}

static unsigned judge_body(const struct http *h) {
  bool length = http_count(h, "content-length") > 0;
  if (http_count(h, "transfer-encoding") > 0)
    return length || h->minor == 0 ? OPENING_400 : OPENING_501;
  return length ? judge_length(h) : 0;
}

/* What is decoded and encoded again is the same. */
static bool is_key(const char *s) {
  uint8_t bytes[18], again[25];
  if (strlen(s) != 24 || strspn(s, " \t") > 0 ||
      EVP_DecodeBlock(bytes, (const uint8_t *)s, 24) != 18)
    return false;
  MUST(EVP_EncodeBlock(again, bytes, 16) == 24);
  return strcmp((const char *)again, s) == 0;
}

static unsigned judge_upgrade(const struct http *h) {
  const char *version = http_only(h, "sec-websocket-version");
  const char *key = http_only(h, "sec-websocket-key");
  unsigned faults = 0;
  if (h->minor != 1 || strcmp(h->method, "GET") != 0 ||
      !http_lists(h, "connection", "upgrade") || key == NULL || !is_key(key))
    faults |= OPENING_400;
  if (version == NULL || strcmp(version, "13") != 0)
    faults |= OPENING_426;
  return faults;
}

bool opening_is_upgrade(const struct http *request) {
  return http_lists(request, "upgrade", "websocket");
}

unsigned opening_judge(const struct http *h) {
  unsigned faults = judge_where(h) | judge_body(h);
  if (strcmp(h->method, "GET") != 0 && strcmp(h->method, "HEAD") != 0)
    faults |= OPENING_405;
  if (opening_is_upgrade(h))
    faults |= judge_upgrade(h);
  return faults;
}

static bool listed(const struct blob *all, const char *word) {
  size_t i = 0;
  while (i < all->n && strcmp((const char *)all->mem + i, word) != 0)
    i += strlen((const char *)all->mem + i) + 1;
  return i < all->n;
}

int opening_subprotocols(struct blob *out, const struct http *request) {
  struct blob all = {NULL, 0, 0};
  char *at, *next, *end;
  bool right = true;
  int count = 0;
  http_join(&all, request, "sec-websocket-protocol");
  for (at = (char *)all.mem; at != NULL; at = next) {
    next = strchr(at, ',');
    if (next != NULL)
      *next++ = '\0';
    at += strspn(at, " \t");
    for (end = at + strlen(at); end > at && strchr(" \t", end[-1]); end--)
      end[-1] = '\0';
    if (*at == '\0')
      continue;
    right = right && http_is_token(at, strlen(at)) && !listed(out, at);
    blob_put(out, at, strlen(at) + 1);
    count++;
  }
  blob_free(&all);
  if (count == 0 && http_count(request, "sec-websocket-protocol") > 0)
    right = false;
  return right && count <= HTTP_FIELDS ? count : -1;
}

/* ---- answers ------------------------------------------------------------- */

void opening_accept(char out[29], const char *key) {
  char text[100];
  uint8_t digest[SHA_DIGEST_LENGTH];
  int n = snprintf(text, sizeof text,
                   "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
  MUST(n > 0 && (size_t)n < sizeof text);
  (void)SHA1((const uint8_t *)text, (size_t)n, digest);
  MUST(EVP_EncodeBlock((uint8_t *)out, digest, sizeof digest) == 28);
}

static bool was_offered(const char *s, const char *const *offered,
                        size_t count) {
  while (count > 0)
    if (strcmp(s, offered[--count]) == 0)
      return true;
  return false;
}

const char *opening_check(const struct http *answer, const char *key,
                          const char *const *offered, size_t count,
                          bool extension) {
  const char *upgrade = http_only(answer, "upgrade");
  const char *accept = http_only(answer, "sec-websocket-accept");
  const char *protocol = http_only(answer, "sec-websocket-protocol");
  size_t protocols = http_count(answer, "sec-websocket-protocol");
  size_t extensions = http_count(answer, "sec-websocket-extensions");
  char right[29];
  opening_accept(right, key);
  if (answer->status != 101)
    return "status";
  if (upgrade == NULL || strcasecmp(upgrade, "websocket") != 0 ||
      !http_lists(answer, "connection", "upgrade"))
    return "no_upgrade";
  if (accept == NULL || strcmp(accept, right) != 0)
    return "bad_accept";
  if (protocols > 1 ||
      (protocols == 1 && !was_offered(protocol, offered, count)))
    return "subprotocol";
  return extensions > (extension ? 1 : 0) ? "extension" : NULL;
}

/* ---- permessage-deflate -------------------------------------------------- */

#define TOKEN "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
#define OWS "[ \t]*"
#define VALUE "(" OWS "=" OWS "(" TOKEN "|\"" TOKEN "\"))?"
#define NAME                                                                 \
  "[Pp][Ee][Rr][Mm][Ee][Ss][Ss][Aa][Gg][Ee]-[Dd][Ee][Ff][Ll][Aa][Tt][Ee]"

/* Without white space and quotes around it. */
static char *strip(char *s) {
  size_t n = strlen(s);
  while (n > 0 && strchr(" \t\"", s[n - 1]) != NULL)
    s[--n] = '\0';
  return s + strspn(s, " \t\"");
}

/* Of a value, NULL if there is none. -1 if it is no number of bits. */
static int bits_of(const char *value) {
  static const char *const right[] = {"8",  "9",  "10", "11",
                                      "12", "13", "14", "15"};
  int i;
  if (value == NULL)
    return 0;
  for (i = 0; i < 8; i++)
    if (strcmp(value, right[i]) == 0)
      return i + 8;
  return -1;
}

static bool read_flag(bool *flag, const char *value) {
  bool right = !*flag && value == NULL;
  *flag = true;
  return right;
}

static bool read_bits(int *bits, const char *value, bool needed) {
  bool right = *bits == -1 && !(needed && value == NULL);
  *bits = bits_of(value);
  return right && *bits != -1;
}

static bool read_param(struct opening_params *p, char *text, bool answer) {
  char *value = strchr(text, '=');
  const char *name;
  if (value != NULL) {
    *value++ = '\0';
    value = strip(value);
  }
  name = strip(text);
  if (strcasecmp(name, "server_no_context_takeover") == 0)
    return read_flag(&p->server_alone, value);
  if (strcasecmp(name, "client_no_context_takeover") == 0)
    return read_flag(&p->client_alone, value);
  if (strcasecmp(name, "server_max_window_bits") == 0)
    return read_bits(&p->server_bits, value, true);
  if (strcasecmp(name, "client_max_window_bits") == 0)
    return read_bits(&p->client_bits, value, answer);
  return false;
}

bool opening_params(struct opening_params *out, const char *s, size_t n,
                    bool answer) {
  static struct pattern element =
      PATTERN(OWS NAME "(" OWS ";" OWS TOKEN VALUE ")*" OWS);
  char *text, *at, *next;
  bool right = true;
  memset(out, 0, sizeof *out);
  out->server_bits = out->client_bits = -1;
  if (!pattern_fits(&element, s, n))
    return false;
  text = strndup(s, n);
  MUST(text != NULL);
  for (at = strchr(text, ';'); right && at != NULL; at = next) {
    next = strchr(++at, ';');
    if (next != NULL)
      *next = '\0';
    right = read_param(out, at, answer);
  }
  free(text);
  return right;
}

/* The end of an element: a comma that is not in quotes, or all of it. */
static size_t element_size(const char *s) {
  size_t i;
  bool quoted = false, escaped = false;
  for (i = 0; s[i] != '\0' && (quoted || s[i] != ','); i++) {
    if (!escaped && s[i] == '"')
      quoted = !quoted;
    escaped = quoted && !escaped && s[i] == '\\';
  }
  return i;
}

bool opening_offer(struct opening_params *out, const struct http *request) {
  size_t i;
  for (i = 0; i < request->count; i++) {
    const char *s = request->fields[i].value;
    if (strcmp(request->fields[i].name, "sec-websocket-extensions") != 0)
      continue;
    for (;;) {
      size_t n = element_size(s);
      if (opening_params(out, s, n, false))
        return true;
      if (s[n] == '\0')
        break;
      s += n + 1;
    }
  }
  return false;
}

/* Is there one that is not above 'most' (0: any)? */
static bool within(int bits, int most) {
  return most == 0 || (bits > 0 && bits <= most);
}

bool opening_agrees(const struct opening_params *answer,
                    const struct ws_deflate_wish *wish) {
  return (answer->server_alone || !wish->server_no_context_takeover) &&
         within(answer->server_bits, wish->server_max_window_bits) &&
         (answer->client_bits < 0 ||
          within(answer->client_bits, wish->client_max_window_bits));
}

bool opening_is_deal(const struct ws_deflate_deal *deal,
                     const struct opening_params *answer,
                     const struct ws_deflate_wish *clients) {
  int own = clients->client_max_window_bits;
  int server = answer->server_bits > 0 ? answer->server_bits : 15;
  int client = answer->client_bits > 0 ? answer->client_bits
               : own > 0               ? own
                                       : 15;
  return deal->on &&
         deal->server_no_context_takeover == answer->server_alone &&
         deal->client_no_context_takeover ==
             (answer->client_alone || clients->client_no_context_takeover) &&
         deal->server_window_bits == server &&
         deal->client_window_bits == client;
}

bool opening_grants(const struct opening_params *offer,
                    const struct opening_params *answer,
                    const struct ws_deflate_wish *wish) {
  bool told = offer->client_bits >= 0; /* the server may limit the client */
  int server = offer->server_bits > 0 ? offer->server_bits : 0;
  int client = offer->client_bits > 0 ? offer->client_bits : 0;
  return answer->server_alone ==
             (offer->server_alone || wish->server_no_context_takeover) &&
         answer->client_alone ==
             (offer->client_alone || wish->client_no_context_takeover) &&
         within(answer->server_bits, server) &&
         within(answer->server_bits, wish->server_max_window_bits) &&
         (answer->client_bits < 0 || told) &&
         (!told || (within(answer->client_bits, client) &&
                    within(answer->client_bits,
                           wish->client_max_window_bits)));
}
