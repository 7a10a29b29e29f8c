#include "ws/protocol.h"

#include <string.h>

#include "base/err.h"
#include "ws/mask.h"

/* What the steps below answer; less than 0 is an enum base_err. */
enum { WANTS_INPUT = 0, FRAME_BEGUN, FRAME_DONE, HAS_EVENT };

enum { PART = 4096 }; /* of compressed input, at a time, where it is given out
                         as it comes */

void ws_protocol_init(struct ws_protocol *p, enum ws_role role,
                      size_t max_message) {
  memset(p, 0, sizeof *p);
  p->role = role;
  p->max_message = max_message;
  base_buf_init(&p->message, max_message);
}

void ws_protocol_deinit(struct ws_protocol *p) {
  base_buf_free(&p->message);
  ws_inflater_free(p->inflater);
  p->inflater = NULL;
}

void ws_protocol_set_deflate(struct ws_protocol *p, bool takeover) {
  p->deflate = true;
  p->takeover = takeover;
}

/* What was lent out is over: an idle connection owns no memory. */
static void forget_delivered(struct ws_protocol *p) {
  if (p->delivered) {
    base_buf_free(&p->message);
    p->message.max = p->max_message;
    p->delivered = false;
  }
}

void ws_protocol_feed(struct ws_protocol *p, uint8_t *in, size_t n) {
  forget_delivered(p);
  p->in = in;
  p->in_len = p->closed ? 0 : n; /* RFC 6455, 1.4: discard what follows */
}

static void use(struct ws_protocol *p, size_t n) {
  p->in += n;
  p->in_len -= n;
}

/* Nothing more comes; whatever was begun is dropped. */
static void shut(struct ws_protocol *p) {
  p->closed = true;
  p->in_frame = p->in_message = false;
  p->header_len = 0;
  p->in_len = 0;
  base_buf_free(&p->message);
  ws_inflater_free(p->inflater);
  p->inflater = NULL;
}

/* RFC 7692, 6: the first reserved bit, on a message's first frame. */
static bool may_be_compressed(const struct ws_protocol *p, unsigned opcode) {
  return p->deflate && (opcode == WS_TEXT || opcode == WS_BINARY);
}

/* The two bytes that every header begins with. */
static int judge(const struct ws_protocol *p, uint8_t b0, uint8_t b1) {
  unsigned opcode = b0 & 0x0f;
  if ((b0 & (may_be_compressed(p, opcode) ? 0x30 : 0x70)) != 0)
    return BASE_ERR_RESERVED_BITS; /* RFC 6455, 5.2 */
  if (opcode >= WS_CLOSE) {
    if (opcode > WS_PONG)
      return BASE_ERR_OPCODE;
    if ((b0 & 0x80) == 0 || (b1 & 0x7f) > WS_CONTROL_MAX)
      return BASE_ERR_CONTROL_LENGTH; /* RFC 6455, 5.5 */
  } else {
    if (opcode > WS_BINARY)
      return BASE_ERR_OPCODE;
    if ((opcode == WS_CONTINUATION) != p->in_message)
      return BASE_ERR_FRAGMENTATION; /* RFC 6455, 5.4 */
  }
  if (((b1 & 0x80) != 0) != (p->role == WS_SERVER))
    return BASE_ERR_MASK; /* RFC 6455, 5.1 */
  return 0;
}

/* Is the message that 'frame' belongs to? Continuations do not say. */
static bool is_compressed(const struct ws_protocol *p) {
  return p->frame.opcode == WS_CONTINUATION ? p->compressed : p->frame.rsv1;
}

/* How much of the message that 'frame' belongs to was there before. */
static size_t had(const struct ws_protocol *p) {
  if (p->frame.opcode != WS_CONTINUATION)
    return 0;
  return p->streaming ? p->given : p->message.len;
}

/* As ws_frame_parse, but what may not be is refused as soon as it shows. */
static int parse(struct ws_protocol *p, const uint8_t *in, size_t n) {
  int got;
  if (n < 2)
    return 0;
  got = judge(p, in[0], in[1]);
  if (got == 0)
    got = ws_frame_parse(&p->frame, in, n);
  if (got > 0 && p->frame.opcode < WS_CLOSE && !is_compressed(p) &&
      p->frame.len > p->max_message - had(p)) {
    p->frame.len += had(p); /* what it came to: the user is told */
    got = BASE_ERR_MESSAGE_SIZE;
  }
  return got;
}

/* As parse, for a header of which the beginning came with earlier input. */
static int parse_cut(struct ws_protocol *p) {
  size_t had = p->header_len;
  size_t n = sizeof p->header - had;
  int got;
  if (n > p->in_len)
    n = p->in_len;
  memcpy(p->header + had, p->in, n);
  got = parse(p, p->header, had + n);
  if (got > 0) {
    use(p, (size_t)got - had); /* 'had' bytes alone were not enough */
    p->header_len = 0;
  }
  return got;
}

static void keep_header(struct ws_protocol *p) {
  size_t n = p->in_len; /* not a whole header, so there is room */
  memcpy(p->header + p->header_len, p->in, n);
  p->header_len = (uint8_t)(p->header_len + n);
  use(p, n);
}

static void begin_message(struct ws_protocol *p) {
  p->in_message = true;
  p->opcode = p->frame.opcode;
  p->compressed = p->frame.rsv1;
  p->streaming = p->fragments;
  p->given = 0;
}

static int begin_frame(struct ws_protocol *p) {
  int got;
  if (p->in_len == 0)
    return WANTS_INPUT;
  if (p->header_len > 0) {
    got = parse_cut(p);
  } else {
    got = parse(p, p->in, p->in_len);
    if (got > 0)
      use(p, (size_t)got);
  }
  if (got < 0)
    return got;
  if (got == 0) {
    keep_header(p);
    return WANTS_INPUT;
  }
  p->frames++;
  p->in_frame = true;
  p->left = p->frame.len;
  if (p->frame.opcode >= WS_CLOSE) {
    p->control_len = 0;
  } else if (p->frame.opcode != WS_CONTINUATION) {
    begin_message(p);
  }
  return FRAME_BEGUN;
}

/* Use up 'n' bytes of payload and return them, unmasked where they lie. */
static uint8_t *unmask(struct ws_protocol *p, size_t n) {
  uint8_t *data = p->in;
  if (p->frame.masked)
    ws_mask_inplace(data, n, p->frame.key, (size_t)(p->frame.len - p->left));
  use(p, n);
  p->left -= n;
  return data;
}

/* The same, but they are put behind what is assembled. */
static int assemble(struct ws_protocol *p, size_t n) {
  uint8_t *to = base_buf_reserve(&p->message, n);
  if (to == NULL)
    return BASE_ERR_MEMORY; /* it fits: the header was checked */
  if (p->frame.masked)
    ws_mask_copy(to, p->in, n, p->frame.key, (size_t)(p->frame.len - p->left));
  else
    memcpy(to, p->in, n);
  base_buf_commit(&p->message, n);
  use(p, n);
  p->left -= n;
  if (p->opcode == WS_TEXT && !ws_utf8_feed(&p->utf8, to, n))
    return BASE_ERR_UTF8; /* RFC 6455, 8.1 */
  return 0;
}

static int deliver(struct ws_protocol *p, struct ws_event *ev,
                   const uint8_t *data, size_t n) {
  if (p->opcode == WS_TEXT && !ws_utf8_complete(&p->utf8))
    return BASE_ERR_UTF8; /* so the next text finds the state at its start */
  p->in_message = false;
  ev->type = WS_EVENT_MESSAGE;
  ev->opcode = p->opcode;
  ev->data = data;
  ev->len = n;
  return HAS_EVENT;
}

/* ---- in parts ------------------------------------------------------------- */

static int give(struct ws_protocol *p, struct ws_event *ev,
                const uint8_t *data, size_t n, bool last) {
  static const uint8_t nothing[1] = {0};
  if (last && p->opcode == WS_TEXT && !ws_utf8_complete(&p->utf8))
    return BASE_ERR_UTF8;
  if (last)
    p->in_message = false;
  p->given += n;
  ev->type = WS_EVENT_FRAGMENT;
  ev->opcode = p->opcode;
  ev->data = n > 0 ? data : nothing;
  ev->len = n;
  ev->last = last;
  return HAS_EVENT;
}

static int read_fragment(struct ws_protocol *p, struct ws_event *ev) {
  size_t n = p->left < p->in_len ? (size_t)p->left : p->in_len;
  const uint8_t *data;
  if (n == 0 && p->left > 0)
    return WANTS_INPUT;
  data = unmask(p, n);
  p->in_frame = p->left > 0;
  if (p->opcode == WS_TEXT && !ws_utf8_feed(&p->utf8, data, n))
    return BASE_ERR_UTF8;
  if (n == 0 && !p->frame.fin)
    return FRAME_DONE;
  return give(p, ev, data, n, p->frame.fin && !p->in_frame);
}

/* ---- compressed messages -------------------------------------------------- */

/* What has been inflated behind the first 'had' bytes; 'err' came of it. What
** is wrong with the text comes first, as it does where the input is cut. */
static int check_inflated(struct ws_protocol *p, size_t had, int err) {
  size_t n = p->message.len - had;
  if (err == BASE_ERR_MESSAGE_SIZE)
    p->frame.len = (uint64_t)p->max_message + 1; /* at least: the user is told */
  if (err != BASE_ERR_MEMORY && n > 0 && p->opcode == WS_TEXT &&
      !ws_utf8_feed(&p->utf8, base_buf_data(&p->message) + had, n))
    err = BASE_ERR_UTF8;
  return err;
}

static int inflate_some(struct ws_protocol *p, size_t n) {
  size_t had = p->message.len;
  const uint8_t *data;
  if (p->inflater == NULL)
    p->inflater = ws_inflater_new();
  if (p->inflater == NULL)
    return BASE_ERR_MEMORY;
  if (n == 0)
    return 0;
  data = unmask(p, n);
  return check_inflated(p, had,
                        ws_inflater_feed(p->inflater, data, n, &p->message));
}

static int inflate_rest(struct ws_protocol *p) {
  size_t had = p->message.len;
  int err = check_inflated(p, had, ws_inflater_end(p->inflater, &p->message));
  if (!p->takeover) { /* an idle connection owns no memory */
    ws_inflater_free(p->inflater);
    p->inflater = NULL;
  }
  return err;
}

/* What a part inflates to is given out at once: it is cut small, for it may
** grow a thousandfold. */
static int read_deflated_fragment(struct ws_protocol *p, struct ws_event *ev) {
  size_t n = p->left < p->in_len ? (size_t)p->left : p->in_len;
  bool last;
  int err;
  if (n > PART)
    n = PART;
  p->message.max = p->max_message - p->given;
  err = inflate_some(p, n);
  p->in_frame = p->left > 0;
  last = p->frame.fin && !p->in_frame;
  if (err == 0 && last)
    err = inflate_rest(p);
  if (err != 0)
    return err;
  p->delivered = true;
  if (p->message.len > 0 || last)
    return give(p, ev, base_buf_data(&p->message), p->message.len, last);
  if (!p->in_frame)
    return FRAME_DONE;
  return p->in_len > 0 ? FRAME_BEGUN : WANTS_INPUT;
}

static int read_deflated(struct ws_protocol *p, struct ws_event *ev) {
  static const uint8_t nothing[1] = {0};
  size_t n = p->left < p->in_len ? (size_t)p->left : p->in_len;
  int err = inflate_some(p, n);
  if (err != 0)
    return err;
  if (p->left > 0)
    return WANTS_INPUT;
  p->in_frame = false;
  if (!p->frame.fin)
    return FRAME_DONE;
  err = inflate_rest(p);
  if (err != 0)
    return err;
  p->delivered = true;
  return deliver(p, ev,
                 p->message.len > 0 ? base_buf_data(&p->message) : nothing,
                 p->message.len);
}

/* The payload of a data frame, as far as there is input. */
static int read_data(struct ws_protocol *p, struct ws_event *ev) {
  size_t n = p->left < p->in_len ? (size_t)p->left : p->in_len;
  if (p->compressed)
    return p->streaming ? read_deflated_fragment(p, ev) : read_deflated(p, ev);
  if (p->streaming)
    return read_fragment(p, ev);
  if (n == p->frame.len && p->frame.fin && p->message.len == 0) {
    const uint8_t *data = unmask(p, n);
    p->in_frame = false;
    if (p->opcode == WS_TEXT && !ws_utf8_feed(&p->utf8, data, n))
      return BASE_ERR_UTF8;
    return deliver(p, ev, data, n);
  }
  if (n > 0) {
    int err = assemble(p, n);
    if (err != 0)
      return err;
  }
  if (p->left > 0)
    return WANTS_INPUT;
  p->in_frame = false;
  if (!p->frame.fin)
    return FRAME_DONE;
  p->delivered = true;
  return deliver(p, ev, base_buf_data(&p->message), p->message.len);
}

/* RFC 6455, 5.5.1: nothing, or a code and a reason in UTF-8. */
static int read_close(struct ws_protocol *p, struct ws_event *ev) {
  ev->type = WS_EVENT_CLOSE;
  ev->code = 1005; /* RFC 6455, 7.1.5 */
  if (ev->len > 0) {
    if (ev->len < 2)
      return BASE_ERR_CLOSE_CODE;
    ev->code = (uint16_t)(ev->data[0] << 8 | ev->data[1]);
    ev->data += 2;
    ev->len -= 2;
    if (!ws_protocol_code_valid(ev->code))
      return BASE_ERR_CLOSE_CODE;
    if (!ws_utf8_valid(ev->data, ev->len))
      return BASE_ERR_UTF8;
  }
  shut(p);
  return HAS_EVENT;
}

static int read_control(struct ws_protocol *p, struct ws_event *ev) {
  size_t n = p->left < p->in_len ? (size_t)p->left : p->in_len;
  ev->len = (size_t)p->frame.len;
  if (n == ev->len) {
    ev->data = unmask(p, n);
  } else {
    if (n > 0) {
      memcpy(p->control + p->control_len, unmask(p, n), n);
      p->control_len = (uint8_t)(p->control_len + n);
    }
    if (p->left > 0)
      return WANTS_INPUT;
    ev->data = p->control;
  }
  p->in_frame = false;
  if (p->frame.opcode == WS_CLOSE)
    return read_close(p, ev);
  ev->type = p->frame.opcode == WS_PING ? WS_EVENT_PING : WS_EVENT_PONG;
  return HAS_EVENT;
}

void ws_protocol_poll(struct ws_protocol *p, struct ws_event *ev) {
  int got;
  forget_delivered(p);
  memset(ev, 0, sizeof *ev);
  if (p->closed)
    return;
  do {
    got = p->in_frame ? FRAME_BEGUN : begin_frame(p);
    if (got == FRAME_BEGUN)
      got = p->frame.opcode >= WS_CLOSE ? read_control(p, ev)
                                        : read_data(p, ev);
  } while (got == FRAME_DONE || got == FRAME_BEGUN);
  if (got == HAS_EVENT)
    return;
  memset(ev, 0, sizeof *ev); /* a half-filled event is none */
  if (got < 0) {
    shut(p);
    p->delivered = false;
    ev->type = WS_EVENT_ERROR;
    ev->err = got;
  }
}

bool ws_protocol_midway(const struct ws_protocol *p) {
  return p->in_frame || p->in_message || p->header_len > 0;
}

uint16_t ws_protocol_close_code(int err) {
  switch (err) {
    case BASE_ERR_UTF8:
    case BASE_ERR_DEFLATE: return 1007;
    case BASE_ERR_MESSAGE_SIZE: return 1009;
    case BASE_ERR_MEMORY: return 1011; /* not the peer's fault */
    default: return 1002;
  }
}

bool ws_protocol_code_valid(unsigned code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}
