/* ws/protocol: bytes in, events out; whole, byte by byte, cut everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "ws/mask.h"
#include "ws/protocol.h"

enum { FIN = 0x80, MAX_MESSAGE = 70000 };

enum deflate { PLAIN, FRESH, TAKEOVER };

/* What a peer of 'role' sends; built by 'put'. */
struct wire {
  enum ws_role role; /* of the receiver */
  enum deflate deflate; /* agreed on (RFC 7692) */
  size_t n;
  uint8_t bytes[150000];
};

static struct wire wire;

static void begin(enum ws_role role) {
  wire.role = role;
  wire.deflate = PLAIN;
  wire.n = 0;
}

static void raw(const void *bytes, size_t n) {
  assert_true(wire.n + n <= sizeof wire.bytes);
  memcpy(wire.bytes + wire.n, bytes, n);
  wire.n += n;
}

/*
** A frame as the receiver wants it masked, with a key that no other near it
** has; 'b0' is its first byte.
*/
static void put_n(unsigned b0, const void *payload, size_t n) {
  uint8_t header[WS_FRAME_HEADER_MAX];
  struct ws_frame f;
  size_t i;
  memset(&f, 0, sizeof f);
  f.fin = (b0 & FIN) != 0;
  f.rsv1 = (b0 & 0x40) != 0;
  f.rsv2 = (b0 & 0x20) != 0;
  f.rsv3 = (b0 & 0x10) != 0;
  f.opcode = b0 & 0x0f;
  f.masked = wire.role == WS_SERVER;
  f.len = n;
  for (i = 0; i < sizeof f.key; i++)
    f.key[i] = (uint8_t)((wire.n + 7) * (37 + 50 * i));
  raw(header, ws_frame_write(header, &f));
  raw(payload, n);
  if (f.masked)
    ws_mask_inplace(wire.bytes + wire.n - n, n, f.key, 0);
}

static void put(unsigned b0, const char *text) {
  put_n(b0, text, strlen(text));
}

/* Events as one line of text, so that two runs can be compared. */
struct log {
  char text[2000];
  size_t n;
};

static void note_bytes(struct log *l, const uint8_t *s, size_t n) {
  unsigned long hash = 5381;
  size_t i;
  for (i = 0; i < n; i++)
    hash = hash * 33 + s[i];
  if (n <= 20)
    l->n += (size_t)sprintf(l->text + l->n, "%.*s", (int)n, (const char *)s);
  else
    l->n += (size_t)sprintf(l->text + l->n, "%d#%lx", (int)n, hash);
}

static void note(struct log *l, const struct ws_event *ev) {
  static const char *const names[] = {"", "", "ping ", "pong ", "close ", ""};
  assert_true(l->n + 100 < sizeof l->text);
  l->n += (size_t)sprintf(l->text + l->n, "%s%s", l->n > 0 ? "|" : "",
                          names[ev->type]);
  if (ev->type == WS_EVENT_ERROR) {
    l->n += (size_t)sprintf(l->text + l->n, "error %d", ev->err);
    return;
  }
  if (ev->type == WS_EVENT_MESSAGE)
    l->n += (size_t)sprintf(l->text + l->n, "%s ",
                            ev->opcode == WS_TEXT ? "text" : "binary");
  if (ev->type == WS_EVENT_CLOSE)
    l->n += (size_t)sprintf(l->text + l->n, "%d ", ev->code);
  note_bytes(l, ev->data, ev->len);
}

/* Feed from memory of exactly that size, gone before the next feed. */
static void feed(struct ws_protocol *p, const uint8_t *s, size_t n,
                 struct log *l) {
  uint8_t *copy = (uint8_t *)malloc(n + 1);
  struct ws_event ev;
  assert_non_null(copy);
  memcpy(copy + 1, s, n);
  ws_protocol_feed(p, copy + 1, n);
  for (;;) {
    ws_protocol_poll(p, &ev);
    if (ev.type == WS_EVENT_NONE)
      break;
    note(l, &ev);
  }
  assert_int_equal(p->in_len, 0);
  free(copy);
}

static void run(struct log *l, size_t first, size_t step) {
  struct ws_protocol p;
  size_t at = 0, n = first;
  l->n = 0;
  l->text[0] = '\0';
  ws_protocol_init(&p, wire.role, MAX_MESSAGE);
  if (wire.deflate != PLAIN)
    ws_protocol_set_deflate(&p, wire.deflate == TAKEOVER);
  do {
    if (n > wire.n - at)
      n = wire.n - at;
    feed(&p, wire.bytes + at, n, l);
    at += n;
    n = step;
  } while (at < wire.n);
  ws_protocol_deinit(&p);
}

static void gives(const char *want) {
  struct log l;
  size_t cut, stride = wire.n > 2000 ? wire.n / 500 : 1;
  run(&l, wire.n, wire.n);
  assert_string_equal(l.text, want);
  run(&l, 1, 1);
  assert_string_equal(l.text, want);
  for (cut = 0; cut <= wire.n; cut += cut < 30 ? 1 : stride) {
    run(&l, cut, wire.n);
    if (strcmp(l.text, want) != 0)
      fail_msg("cut at %d: %s, not %s", (int)cut, l.text, want);
    run(&l, cut, cut + 3);
    if (strcmp(l.text, want) != 0)
      fail_msg("cut at %d and on: %s, not %s", (int)cut, l.text, want);
  }
}

/* Other events, each with a "|" behind it, and then the error. */
static void gives_then_error(const char *before, int err) {
  char want[80];
  (void)snprintf(want, sizeof want, "%serror %d", before, err);
  gives(want);
}

static void gives_error(int err) {
  gives_then_error("", err);
}

static void reads_the_examples_of_the_rfc(void **state) {
  struct log l;
  uint8_t zeros[65536];
  (void)state; /* RFC 6455, 5.7 */
  begin(WS_CLIENT);
  raw("\x81\x05Hello", 7);
  gives("text Hello");
  begin(WS_SERVER);
  raw("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
  gives("text Hello");
  begin(WS_CLIENT);
  raw("\x01\x03Hel\x80\x02lo", 9);
  gives("text Hello");
  begin(WS_CLIENT);
  raw("\x89\x05Hello", 7);
  gives("ping Hello");
  begin(WS_SERVER);
  raw("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
  gives("pong Hello");
  memset(zeros, 0, sizeof zeros);
  begin(WS_CLIENT);
  raw("\x82\x7e\x01\x00", 4);
  raw(zeros, 256);
  run(&l, wire.n, wire.n);
  assert_memory_equal(l.text, "binary 256#", 11);
  gives(l.text);
  begin(WS_CLIENT);
  raw("\x82\x7f\0\0\0\0\0\x01\0\0", 10);
  raw(zeros, 65536);
  run(&l, wire.n, wire.n);
  assert_memory_equal(l.text, "binary 65536#", 13);
  gives(l.text);
}

static void both(void (*build)(void), const char *want) {
  begin(WS_CLIENT);
  build();
  gives(want);
  begin(WS_SERVER);
  build();
  gives(want);
}

static void build_mixture(void) {
  put(FIN | WS_TEXT, "");
  put(FIN | WS_BINARY, "one");
  put(WS_TEXT, "a");
  put(FIN | WS_PING, "ping");
  put(WS_CONTINUATION, "");
  put(WS_CONTINUATION, "b\xc3");
  put(FIN | WS_PONG, "po");
  put(FIN | WS_CONTINUATION, "\xa9");
  put(WS_BINARY, "");
  put(FIN | WS_PING, "");
  put(WS_CONTINUATION, "");
  put(FIN | WS_CONTINUATION, "");
  put(WS_BINARY, "");
  put(FIN | WS_CONTINUATION, "late");
  put(WS_TEXT, "early");
  put(FIN | WS_CONTINUATION, "");
  put(FIN | WS_CLOSE, "\x03\xe8" "bye");
  put(FIN | WS_TEXT, "ignored");
  put(0x7f, "not even this");
}

static void reads_messages_and_control_frames_in_order(void **state) {
  (void)state;
  both(build_mixture, "text |binary one|ping ping|pong po|text ab\xc3\xa9|"
                      "ping |"
                      "binary |binary late|text early|close 1000 bye");
}

static void build_large(void) {
  static uint8_t text[MAX_MESSAGE];
  size_t i;
  for (i = 0; i < sizeof text; i++)
    text[i] = (uint8_t)('!' + i % 90);
  put_n(FIN | WS_TEXT, text, 126);
  put_n(WS_BINARY, text, 65536);
  put_n(FIN | WS_PING, text, 125);
  put_n(FIN | WS_CONTINUATION, text + 65536, MAX_MESSAGE - 65536);
}

static void reads_large_messages_up_to_the_limit(void **state) {
  struct log l, same;
  (void)state;
  begin(WS_CLIENT);
  build_large();
  run(&l, wire.n, wire.n);
  assert_memory_equal(l.text, "text 126#", 9);
  assert_non_null(strstr(l.text, "binary 70000#"));
  assert_non_null(strstr(l.text, "ping 125#"));
  gives(l.text);
  begin(WS_SERVER);
  build_large();
  run(&same, wire.n, wire.n);
  assert_string_equal(l.text, same.text);
  gives(l.text);
}

static void fails(enum ws_role role, unsigned b0, const char *payload,
                  int err) {
  begin(role);
  put(b0, payload);
  put(FIN | WS_TEXT, "ignored");
  gives_error(err);
}

static void refuses_reserved_bits(void **state) {
  unsigned bit;
  (void)state;
  for (bit = 0x10; bit <= 0x40; bit <<= 1) {
    fails(WS_CLIENT, FIN | bit | WS_TEXT, "a", BASE_ERR_RESERVED_BITS);
    fails(WS_SERVER, bit | WS_BINARY, "", BASE_ERR_RESERVED_BITS);
    fails(WS_SERVER, FIN | bit | WS_PING, "a", BASE_ERR_RESERVED_BITS);
    begin(WS_SERVER);
    put(WS_TEXT, "a");
    put(FIN | bit | WS_CONTINUATION, "b");
    gives_error(BASE_ERR_RESERVED_BITS);
  }
}

static void refuses_reserved_opcodes(void **state) {
  unsigned opcode;
  (void)state;
  for (opcode = 3; opcode < 16; opcode++)
    if (opcode < WS_CLOSE || opcode > WS_PONG) {
      fails(WS_CLIENT, FIN | opcode, "", BASE_ERR_OPCODE);
      fails(WS_SERVER, opcode, "a", BASE_ERR_OPCODE);
    }
}

static void refuses_frames_masked_in_the_wrong_direction(void **state) {
  static const unsigned first[] = {FIN | WS_TEXT, WS_BINARY, FIN | WS_PING,
                                   FIN | WS_CLOSE};
  size_t i;
  (void)state;
  for (i = 0; i < sizeof first / sizeof first[0]; i++) {
    begin(WS_SERVER);
    put(first[i], "");
    wire.role = WS_CLIENT;
    gives_error(BASE_ERR_MASK);
    begin(WS_CLIENT);
    put(first[i], "");
    wire.role = WS_SERVER;
    gives_error(BASE_ERR_MASK);
  }
}

/* RFC 6455, 5.1: the server closes, and 1002 is why. */
static void a_server_takes_no_frame_without_a_mask(void **state) {
  static const unsigned opcodes[] = {WS_TEXT, WS_BINARY, WS_CLOSE, WS_PING,
                                     WS_PONG};
  size_t i;
  (void)state;
  for (i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
    begin(WS_SERVER);
    put(FIN | WS_PING, "masked");
    wire.role = WS_CLIENT;
    put(FIN | opcodes[i], opcodes[i] == WS_CLOSE ? "\x03\xe8" : "plain");
    wire.role = WS_SERVER;
    put(FIN | WS_TEXT, "ignored");
    gives_then_error("ping masked|", BASE_ERR_MASK);
  }
  begin(WS_SERVER);
  put(WS_TEXT, "masked");
  wire.role = WS_CLIENT;
  put(FIN | WS_CONTINUATION, "plain");
  wire.role = WS_SERVER;
  gives_error(BASE_ERR_MASK);
  assert_int_equal(ws_protocol_close_code(BASE_ERR_MASK), 1002);
}

static uint32_t seed = 2463534242u;

static size_t dice(size_t n) { /* xorshift */
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed % n;
}

/* One message in frames of any size, with other frames between them. */
static void build_pieces(const uint8_t *text, size_t n) {
  size_t at = 0, most = n / 500 + 1 + dice(n); /* for the wire's size */
  while (at < n) {
    size_t k = dice(most < n - at ? most + 1 : n - at + 1);
    put_n((at + k == n ? FIN : 0) |
              (wire.n == 0 ? (unsigned)WS_BINARY : (unsigned)WS_CONTINUATION),
          text + at, k);
    at += k;
    if (at < n && dice(3) == 0)
      put_n(FIN | WS_PONG, text + at, dice(n - at < 125 ? n - at : 125));
  }
}

/* As poll gives them, unasked-for pongs apart. */
static void reads_back(const uint8_t *text, size_t n) {
  struct ws_protocol p;
  struct ws_event ev;
  size_t at = 0, most = 1 + dice(wire.n), messages = 0;
  ws_protocol_init(&p, WS_SERVER, n);
  while (at < wire.n) {
    size_t k = 1 + dice(most < wire.n - at ? most : wire.n - at);
    uint8_t *piece = (uint8_t *)malloc(k);
    assert_non_null(piece);
    memcpy(piece, wire.bytes + at, k);
    ws_protocol_feed(&p, piece, k);
    for (ws_protocol_poll(&p, &ev); ev.type != WS_EVENT_NONE;
         ws_protocol_poll(&p, &ev)) {
      assert_int_not_equal(ev.type, WS_EVENT_ERROR);
      if (ev.type != WS_EVENT_MESSAGE)
        continue;
      messages++;
      assert_int_equal(ev.len, n);
      assert_memory_equal(ev.data, text, n);
    }
    free(piece);
    at += k;
  }
  assert_int_equal(messages, 1);
  assert_false(ws_protocol_midway(&p));
  ws_protocol_deinit(&p);
}

static void a_server_unmasks_whatever_the_cuts(void **state) {
  static uint8_t text[MAX_MESSAGE];
  size_t i;
  int run;
  (void)state;
  for (i = 0; i < sizeof text; i++)
    text[i] = (uint8_t)dice(256);
  for (run = 0; run < 300; run++) {
    size_t n = 1 + dice(run % 3 == 0 ? sizeof text : 300);
    begin(WS_SERVER);
    build_pieces(text, n);
    reads_back(text, n);
  }
}

static void a_key_of_zeros_is_a_mask(void **state) {
  (void)state; /* unwise of a client (RFC 6455, 5.3), but masked */
  begin(WS_SERVER);
  raw("\x81\x85\0\0\0\0Hello\x82\x80\0\0\0\0", 17);
  gives("text Hello|binary ");
}

static void refuses_control_frames_too_long_or_in_pieces(void **state) {
  char longest[127];
  unsigned opcode;
  (void)state;
  memset(longest, 'x', sizeof longest);
  longest[126] = '\0';
  for (opcode = WS_CLOSE; opcode <= WS_PONG; opcode++) {
    fails(WS_CLIENT, opcode, "", BASE_ERR_CONTROL_LENGTH);
    fails(WS_SERVER, opcode, "ab", BASE_ERR_CONTROL_LENGTH);
    fails(WS_SERVER, FIN | opcode, longest, BASE_ERR_CONTROL_LENGTH);
  }
}

static void refuses_fragments_out_of_order(void **state) {
  (void)state;
  fails(WS_CLIENT, WS_CONTINUATION, "a", BASE_ERR_FRAGMENTATION);
  fails(WS_SERVER, FIN | WS_CONTINUATION, "", BASE_ERR_FRAGMENTATION);
  begin(WS_SERVER);
  put(WS_TEXT, "a");
  put(FIN | WS_TEXT, "b");
  gives_error(BASE_ERR_FRAGMENTATION);
  begin(WS_CLIENT);
  put(WS_BINARY, "");
  put(WS_BINARY, "b");
  gives_error(BASE_ERR_FRAGMENTATION);
  begin(WS_CLIENT);
  put(WS_BINARY, "");
  put(FIN | WS_CONTINUATION, "");
  put(FIN | WS_CONTINUATION, "");
  gives_then_error("binary |", BASE_ERR_FRAGMENTATION);
}

static void refuses_lengths_not_in_the_shortest_form(void **state) {
  (void)state;
  begin(WS_CLIENT);
  raw("\x82\x7e\x00\x05Hello", 9);
  gives_error(BASE_ERR_FRAME_LENGTH);
  begin(WS_CLIENT);
  raw("\x82\x7f\x80\0\0\0\0\0\0\0", 10);
  gives_error(BASE_ERR_FRAME_LENGTH);
  begin(WS_SERVER);
  raw("\x82\xfe\x00\x05keysHello", 13);
  gives_error(BASE_ERR_FRAME_LENGTH);
  begin(WS_SERVER);
  raw("\x82\xff\0\0\0\0\0\0\xff\xffkeys", 14);
  gives_error(BASE_ERR_FRAME_LENGTH);
}

static void reads_close_frames(void **state) {
  (void)state;
  begin(WS_SERVER);
  put(FIN | WS_CLOSE, "");
  gives("close 1005 ");
  begin(WS_CLIENT);
  put(WS_TEXT, "unfinished");
  put(FIN | WS_CLOSE, "\x0f\xa0");
  gives("close 4000 ");
  begin(WS_SERVER);
  put(FIN | WS_CLOSE, "\x03\xf3gr\xc3\xbc\xc3\x9f");
  gives("close 1011 gr\xc3\xbc\xc3\x9f");
}

static void refuses_malformed_close_frames(void **state) {
  (void)state;
  fails(WS_SERVER, FIN | WS_CLOSE, "\x03", BASE_ERR_CLOSE_CODE);
  fails(WS_CLIENT, FIN | WS_CLOSE, "\x03\xe7", BASE_ERR_CLOSE_CODE);
  fails(WS_CLIENT, FIN | WS_CLOSE, "\x03\xed" "1005", BASE_ERR_CLOSE_CODE);
  fails(WS_SERVER, FIN | WS_CLOSE, "\xff\xff", BASE_ERR_CLOSE_CODE);
  fails(WS_SERVER, FIN | WS_CLOSE, "\x03\xe8\xff", BASE_ERR_UTF8);
  fails(WS_CLIENT, FIN | WS_CLOSE, "\x03\xe8" "a\xc3", BASE_ERR_UTF8);
}

static void refuses_text_that_is_not_utf8(void **state) {
  (void)state;
  fails(WS_SERVER, FIN | WS_TEXT, "ok until \xed\xa0\x80 here",
        BASE_ERR_UTF8);
  fails(WS_CLIENT, FIN | WS_TEXT, "cut \xf0\x9f\x98", BASE_ERR_UTF8);
  begin(WS_SERVER);
  put(WS_TEXT, "\xc3");
  put(FIN | WS_CONTINUATION, "");
  gives_error(BASE_ERR_UTF8);
  begin(WS_CLIENT);
  put(WS_TEXT, "\xc3");
  put(FIN | WS_PING, "\xff");
  put(WS_CONTINUATION, "z");
  gives_then_error("ping \xff|", BASE_ERR_UTF8);
  begin(WS_SERVER);
  put(FIN | WS_BINARY, "\xff\xc0");
  gives("binary \xff\xc0");
}

static void each_text_is_checked_afresh(void **state) {
  (void)state;
  begin(WS_SERVER);
  put(WS_TEXT, "\xc3");
  put(FIN | WS_CONTINUATION, "\xa9");
  put(FIN | WS_BINARY, "\xe2\x82");
  put(FIN | WS_TEXT, "a");
  put(WS_TEXT, "");
  put(FIN | WS_CONTINUATION, "b");
  gives("text \xc3\xa9|binary \xe2\x82|text a|text b");
}

static void wrong_text_fails_in_the_middle_of_a_frame(void **state) {
  struct ws_protocol p;
  struct log l = {"", 0};
  char want[40];
  (void)state;
  ws_protocol_init(&p, WS_CLIENT, MAX_MESSAGE);
  feed(&p, (const uint8_t *)"\x81\x7e\x10\x00" "abc\xf4", 8, &l);
  assert_string_equal(l.text, "");
  feed(&p, (const uint8_t *)"\x90", 1, &l);
  (void)snprintf(want, sizeof want, "error %d", BASE_ERR_UTF8);
  assert_string_equal(l.text, want);
  ws_protocol_deinit(&p);
}

/* 'n' bytes are all that is needed to know. */
static void fails_after(enum ws_role role, const char *s, size_t n, int err) {
  struct ws_protocol p;
  struct log l = {"", 0};
  char want[40];
  ws_protocol_init(&p, role, 1000);
  feed(&p, (const uint8_t *)s, n - 1, &l);
  assert_string_equal(l.text, "");
  feed(&p, (const uint8_t *)s + n - 1, 1, &l);
  (void)snprintf(want, sizeof want, "error %d", err);
  assert_string_equal(l.text, want);
  assert_null(p.message.mem);
  ws_protocol_deinit(&p);
}

static void a_header_is_judged_before_its_payload(void **state) {
  (void)state;
  fails_after(WS_CLIENT, "\x82\x7e\x03\xe9", 4, BASE_ERR_MESSAGE_SIZE);
  fails_after(WS_SERVER, "\x82\xfe\x03\xe9key!", 8, BASE_ERR_MESSAGE_SIZE);
  fails_after(WS_CLIENT, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10,
              BASE_ERR_MESSAGE_SIZE);
  fails_after(WS_CLIENT, "\x02\x03" "abc\x80\x7e\x03\xe6", 9,
              BASE_ERR_MESSAGE_SIZE);
  fails_after(WS_SERVER, "\x81\x05", 2, BASE_ERR_MASK);
  fails_after(WS_CLIENT, "\x8f\x7e", 2, BASE_ERR_OPCODE);
}

static void messages_have_their_greatest_size(void **state) {
  static uint8_t zeros[MAX_MESSAGE];
  char want[40];
  struct log l;
  (void)state;
  begin(WS_SERVER);
  put_n(WS_BINARY, zeros, MAX_MESSAGE - 1);
  put(FIN | WS_CONTINUATION, "x");
  run(&l, wire.n, wire.n);
  assert_memory_equal(l.text, "binary 70000#", 13);
  begin(WS_SERVER);
  put_n(WS_BINARY, zeros, MAX_MESSAGE - 1);
  put(WS_CONTINUATION, "x");
  put(WS_CONTINUATION, "");
  put(FIN | WS_CONTINUATION, "x");
  run(&l, wire.n, wire.n);
  (void)snprintf(want, sizeof want, "error %d", BASE_ERR_MESSAGE_SIZE);
  assert_string_equal(l.text, want);
}

static void a_whole_message_is_lent_where_it_lies(void **state) {
  struct ws_protocol p;
  struct ws_event ev;
  (void)state;
  begin(WS_SERVER);
  put(FIN | WS_TEXT, "first");
  put(WS_BINARY, "");
  put(FIN | WS_CONTINUATION, "second");
  put(FIN | WS_PING, "third");
  ws_protocol_init(&p, WS_SERVER, MAX_MESSAGE);
  ws_protocol_feed(&p, wire.bytes, wire.n);
  ws_protocol_poll(&p, &ev);
  assert_int_equal(ev.type, WS_EVENT_MESSAGE);
  assert_ptr_equal(ev.data, wire.bytes + 6);
  assert_memory_equal(ev.data, "first", 5);
  ws_protocol_poll(&p, &ev);
  assert_ptr_equal(ev.data, wire.bytes + 11 + 6 + 6);
  assert_memory_equal(ev.data, "second", 6);
  ws_protocol_poll(&p, &ev);
  assert_int_equal(ev.type, WS_EVENT_PING);
  assert_ptr_equal(ev.data, wire.bytes + 11 + 6 + 12 + 6);
  ws_protocol_poll(&p, &ev);
  assert_int_equal(ev.type, WS_EVENT_NONE);
  assert_null(p.message.mem);
  assert_int_equal(p.frames, 4);
  ws_protocol_deinit(&p);
}

static void memory_goes_after_a_message_was_delivered(void **state) {
  struct ws_protocol p;
  struct ws_event ev;
  uint8_t a[] = {0x02, 0x01, 'a'}, b[] = {0x80, 0x01, 'b'};
  bool by_feed;
  int i;
  (void)state;
  ws_protocol_init(&p, WS_CLIENT, MAX_MESSAGE);
  for (i = 0; i < 2; i++) {
    by_feed = i == 1;
    ws_protocol_feed(&p, a, sizeof a);
    ws_protocol_poll(&p, &ev);
    assert_int_equal(ev.type, WS_EVENT_NONE);
    ws_protocol_feed(&p, b, sizeof b);
    ws_protocol_poll(&p, &ev);
    assert_int_equal(ev.type, WS_EVENT_MESSAGE);
    assert_memory_equal(ev.data, "ab", 2);
    assert_non_null(p.message.mem);
    if (by_feed)
      ws_protocol_feed(&p, NULL, 0);
    else
      ws_protocol_poll(&p, &ev);
    assert_null(p.message.mem);
    assert_false(ws_protocol_midway(&p));
  }
  ws_protocol_deinit(&p);
}

static int allowed; /* allocations until they fail */
static size_t calls;

static void *failing(void *p, size_t size) {
  if (size == 0) {
    free(p);
    return NULL;
  }
  calls++;
  return allowed-- > 0 ? realloc(p, size) : NULL;
}

static void memory_grows_with_what_arrived(void **state) {
  base_realloc_fn *before = base_mem_realloc_hook;
  static const uint8_t header[] = {0x82, 0x7f, 0, 0, 0, 0, 1, 0, 0, 0};
  struct log l = {"", 0};
  struct ws_protocol p;
  size_t i;
  (void)state;
  base_mem_realloc_hook = failing;
  allowed = 1000;
  calls = 0;
  ws_protocol_init(&p, WS_CLIENT, 1u << 24);
  feed(&p, header, sizeof header, &l);
  assert_null(p.message.mem);
  for (i = 1; i <= 100000; i++) {
    feed(&p, (const uint8_t *)"x", 1, &l);
    if (p.message.cap > 512 && p.message.cap > 2 * i)
      fail_msg("%d bytes for %d", (int)p.message.cap, (int)i);
  }
  assert_true(p.message.cap >= 100000);
  assert_in_range(calls, 1, 12); /* by doubling, not once for every byte */
  ws_protocol_deinit(&p);
  base_mem_realloc_hook = before;
}

static void empty_fragments_without_end_cost_no_memory(void **state) {
  struct log l = {"", 0};
  struct ws_protocol p;
  int i;
  (void)state;
  ws_protocol_init(&p, WS_CLIENT, MAX_MESSAGE);
  feed(&p, (const uint8_t *)"\x01\x00", 2, &l);
  for (i = 0; i < 100000; i++)
    feed(&p, (const uint8_t *)"\x00\x00\x00\x00", 4, &l);
  assert_null(p.message.mem);
  assert_string_equal(l.text, "");
  assert_true(ws_protocol_midway(&p));
  assert_true(p.frames == 200001);
  feed(&p, (const uint8_t *)"\x80\x01z", 3, &l);
  assert_string_equal(l.text, "text z");
  ws_protocol_deinit(&p);
}

static void survives_a_want_of_memory(void **state) {
  base_realloc_fn *before = base_mem_realloc_hook;
  struct log l = {"", 0};
  struct ws_protocol p;
  char want[40];
  (void)state;
  base_mem_realloc_hook = failing;
  allowed = 1; /* the first piece, but no more */
  ws_protocol_init(&p, WS_CLIENT, MAX_MESSAGE);
  feed(&p, (const uint8_t *)"\x02\x01" "a", 3, &l);
  assert_non_null(p.message.mem);
  build_large();
  feed(&p, (const uint8_t *)"\x00\x7e\x04\x00", 4, &l);
  feed(&p, wire.bytes, 600, &l);
  base_mem_realloc_hook = before;
  (void)snprintf(want, sizeof want, "error %d", BASE_ERR_MEMORY);
  assert_string_equal(l.text, want);
  assert_null(p.message.mem);
  ws_protocol_deinit(&p);
}

static void nothing_comes_after_a_close_or_an_error(void **state) {
  static const char *const ends[] = {"\x88\x00", "\x83\x00"};
  struct ws_protocol p;
  struct ws_event ev;
  uint8_t in[] = "\x01\x01" "a" "\x88\x00" "\x81\x01z";
  uint8_t more[] = "\x81\x01z", *rest;
  size_t i;
  int k;
  (void)state;
  for (i = 0; i < 2; i++) {
    memcpy(in + 3, ends[i], 2);
    ws_protocol_init(&p, WS_CLIENT, MAX_MESSAGE);
    ws_protocol_feed(&p, in, sizeof in - 1);
    ws_protocol_poll(&p, &ev);
    assert_int_equal(ev.type, i == 0 ? WS_EVENT_CLOSE : WS_EVENT_ERROR);
    assert_false(ws_protocol_midway(&p));
    assert_null(p.message.mem);
    for (k = 0; k < 3; k++) {
      ws_protocol_poll(&p, &ev);
      assert_int_equal(ev.type, WS_EVENT_NONE);
      ws_protocol_feed(&p, more, sizeof more - 1);
      assert_int_equal(ws_protocol_rest(&p, &rest), 0);
    }
    ws_protocol_deinit(&p);
  }
}

static void the_rest_can_be_kept_and_fed_later(void **state) {
  struct ws_protocol p;
  struct ws_event ev;
  uint8_t kept[100], *rest;
  size_t n;
  (void)state;
  begin(WS_SERVER);
  put(FIN | WS_TEXT, "one");
  put(FIN | WS_TEXT, "two");
  ws_protocol_init(&p, WS_SERVER, MAX_MESSAGE);
  ws_protocol_feed(&p, wire.bytes, wire.n - 1);
  ws_protocol_poll(&p, &ev);
  assert_memory_equal(ev.data, "one", 3);
  n = ws_protocol_rest(&p, &rest);
  assert_int_equal(n, 8);
  memcpy(kept, rest, n);
  kept[n] = wire.bytes[wire.n - 1];
  memset(wire.bytes, 0, wire.n);
  ws_protocol_feed(&p, kept, n + 1);
  ws_protocol_poll(&p, &ev);
  assert_int_equal(ev.type, WS_EVENT_MESSAGE);
  assert_memory_equal(ev.data, "two", 3);
  ws_protocol_deinit(&p);
}

/* Is an end after so many bytes a cut? */
static void knows_when_it_is_midway(void **state) {
  static const char s[] = "\x81\x01" "a" "\x01\x01" "b" "\x89\x01" "p"
                          "\x80\x00" "\x89\x02" "pq";
  static const bool midway[] = {0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0};
  struct log l = {"", 0};
  struct ws_protocol p;
  size_t i;
  (void)state;
  ws_protocol_init(&p, WS_CLIENT, MAX_MESSAGE);
  for (i = 0; i < sizeof s - 1; i++) {
    assert_int_equal(ws_protocol_midway(&p), midway[i]);
    feed(&p, (const uint8_t *)s + i, 1, &l);
  }
  assert_int_equal(ws_protocol_midway(&p), midway[i]);
  ws_protocol_deinit(&p);
  ws_protocol_init(&p, WS_SERVER, MAX_MESSAGE);
  for (i = 0; i < 6; i++) { /* up to the last byte of an empty frame's key */
    assert_int_equal(ws_protocol_midway(&p), i > 0);
    feed(&p, (const uint8_t *)"\x82\x80keys" + i, 1, &l);
  }
  assert_false(ws_protocol_midway(&p));
  ws_protocol_deinit(&p);
}

static void knows_the_codes_of_closing(void **state) {
  unsigned code;
  (void)state;
  for (code = 0; code < 70000; code++) {
    bool fine = (code >= 3000 && code < 5000) ||
                (code >= 1000 && code < 1015 && code != 1004 && code != 1005 &&
                 code != 1006);
    if (ws_protocol_code_valid(code) != fine)
      fail_msg("%u", code);
  }
  assert_int_equal(ws_protocol_close_code(BASE_ERR_UTF8), 1007);
  assert_int_equal(ws_protocol_close_code(BASE_ERR_MESSAGE_SIZE), 1009);
  assert_int_equal(ws_protocol_close_code(BASE_ERR_MEMORY), 1011);
  assert_int_equal(ws_protocol_close_code(BASE_ERR_OPCODE), 1002);
  assert_int_equal(ws_protocol_close_code(BASE_ERR_CLOSE_CODE), 1002);
}

/* ---- permessage-deflate (RFC 7692) --------------------------------------- */

enum { RSV1 = 0x40 };

#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00" /* RFC 7692, 7.2.3 */
#define AGAIN "\xf2\x00\x11\x00\x00"

static void begin_deflate(enum ws_role role, bool takeover) {
  begin(role);
  wire.deflate = takeover ? TAKEOVER : FRESH;
}

/* For each role, with and without takeover. */
static void deflated(void (*build)(void), const char *want) {
  int i;
  for (i = 0; i < 4; i++) {
    begin_deflate((i & 1) != 0 ? WS_SERVER : WS_CLIENT, i >= 2);
    build();
    gives(want);
  }
}

/* Then an error comes behind those events. */
static void deflated_error(void (*build)(void), const char *before, int err) {
  char want[80];
  (void)snprintf(want, sizeof want, "%serror %d", before, err);
  deflated(build, want);
}

static void build_hello(void) {
  put_n(FIN | RSV1 | WS_TEXT, HELLO, 7);
  put_n(FIN | RSV1 | WS_BINARY, HELLO, 7);
}

static void build_hello_in_pieces(void) {
  put_n(RSV1 | WS_TEXT, HELLO, 3); /* RFC 7692, 7.2.3.1 */
  put_n(FIN | WS_CONTINUATION, &HELLO[3], 4);
  put_n(RSV1 | WS_TEXT, HELLO, 0);
  put_n(WS_CONTINUATION, HELLO, 6);
  put_n(WS_CONTINUATION, HELLO, 0);
  put_n(FIN | WS_CONTINUATION, &HELLO[6], 1);
}

static void build_kinds_of_blocks(void) {
  put_n(FIN | RSV1 | WS_TEXT, "\x00\x05\x00\xfa\xff" "Hello\x00", 11);
  put_n(FIN | RSV1 | WS_TEXT, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8);
  put_n(FIN | RSV1 | WS_TEXT,
        "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13);
}

static void build_empty(void) {
  put_n(FIN | RSV1 | WS_TEXT, "", 1); /* RFC 7692, 7.2.3.6 */
  put_n(RSV1 | WS_BINARY, "", 0);
  put_n(FIN | WS_CONTINUATION, "", 1);
  put_n(RSV1 | WS_TEXT, "", 1);
  put_n(FIN | WS_CONTINUATION, "", 0);
  put_n(FIN | RSV1 | WS_TEXT, "", 0); /* not of RFC 7692: ws/deflate.c */
  put_n(FIN | RSV1 | WS_TEXT, HELLO, 7);
}

static void reads_compressed_messages(void **state) {
  (void)state;
  deflated(build_hello, "text Hello|binary Hello");
  deflated(build_hello_in_pieces, "text Hello|text Hello");
  deflated(build_kinds_of_blocks, "text Hello|text Hello|text Hello");
  deflated(build_empty, "text |binary |text |text |text Hello");
}

static void build_between(void) {
  put_n(RSV1 | WS_TEXT, HELLO, 2);
  put(FIN | WS_PING, "1");
  put_n(WS_CONTINUATION, &HELLO[2], 2);
  put(FIN | WS_PONG, "2");
  put(FIN | WS_PING, "");
  put_n(FIN | WS_CONTINUATION, &HELLO[4], 3);
  put(FIN | WS_PING, "4");
}

static void control_frames_stand_between_compressed_ones(void **state) {
  (void)state;
  deflated(build_between, "ping 1|pong 2|ping |text Hello|ping 4");
}

static void build_mixed(void) {
  put(FIN | WS_TEXT, "plain");
  put_n(FIN | RSV1 | WS_TEXT, HELLO, 7);
  put(WS_TEXT, "pla");
  put(FIN | WS_CONTINUATION, "in");
  put(FIN | WS_BINARY, "");
  put_n(RSV1 | WS_BINARY, HELLO, 5);
  put_n(FIN | WS_CONTINUATION, &HELLO[5], 2);
  put(FIN | WS_TEXT, "plain");
}

static void plain_messages_stand_between_compressed_ones(void **state) {
  (void)state;
  deflated(build_mixed, "text plain|text Hello|text plain|binary |"
                        "binary Hello|text plain");
}

static void build_again(void) {
  put_n(FIN | RSV1 | WS_TEXT, HELLO, 7);
  put(FIN | WS_BINARY, "plain"); /* is no part of the window */
  put_n(FIN | RSV1 | WS_TEXT, "", 1);
  put_n(RSV1 | WS_TEXT, AGAIN, 1); /* RFC 7692, 7.2.3.2 */
  put(FIN | WS_PING, "!");
  put_n(FIN | WS_CONTINUATION, &AGAIN[1], 4);
  put_n(FIN | RSV1 | WS_TEXT, AGAIN, 5);
}

static void the_window_goes_on_where_that_was_agreed_on(void **state) {
  int role;
  (void)state;
  for (role = 0; role < 2; role++) {
    begin_deflate(role == 0 ? WS_CLIENT : WS_SERVER, true);
    build_again();
    gives("text Hello|binary plain|text |ping !|text Hello|text Hello");
    begin_deflate(role == 0 ? WS_CLIENT : WS_SERVER, false);
    put_n(FIN | RSV1 | WS_TEXT, HELLO, 7);
    put_n(FIN | RSV1 | WS_TEXT, AGAIN, 5);
    gives_then_error("text Hello|", BASE_ERR_DEFLATE);
  }
}

static unsigned first_byte;

static void build_first_byte(void) {
  put_n(first_byte, HELLO, 7);
}

static void build_second_byte(void) {
  put_n(RSV1 | WS_TEXT, HELLO, 3);
  put_n(first_byte, &HELLO[3], 4);
}

static void the_first_reserved_bit_is_for_first_frames_of_data(void **state) {
  unsigned rsv, opcode;
  (void)state;
  for (opcode = 0; opcode <= 10; opcode += opcode == 2 ? 6 : 1)
    for (rsv = 1; rsv < 8; rsv++) { /* RFC 7692, 6 */
      bool data = opcode == WS_TEXT || opcode == WS_BINARY;
      first_byte = FIN | rsv << 4 | opcode;
      begin(WS_SERVER); /* not agreed on */
      build_first_byte();
      gives_error(BASE_ERR_RESERVED_BITS);
      if (rsv != 4 || !data)
        deflated_error(build_first_byte, "", BASE_ERR_RESERVED_BITS);
      deflated_error(build_second_byte, "",
                     rsv == 4 && data ? BASE_ERR_FRAGMENTATION
                                      : BASE_ERR_RESERVED_BITS);
    }
}

static const char *broken;
static size_t broken_n;

static void build_broken(void) {
  put_n(FIN | RSV1 | WS_TEXT, HELLO, 7);
  put_n(FIN | RSV1 | WS_BINARY, broken, broken_n);
  put(FIN | WS_PING, "never");
}

static void build_broken_pieces(void) {
  size_t half = broken_n / 2;
  put_n(FIN | RSV1 | WS_TEXT, HELLO, 7);
  put_n(RSV1 | WS_BINARY, broken, half);
  put_n(FIN | WS_CONTINUATION, broken + half, broken_n - half);
}

static void breaks(const char *s, size_t n) {
  broken = s;
  broken_n = n;
  deflated_error(build_broken, "text Hello|", BASE_ERR_DEFLATE);
  deflated_error(build_broken_pieces, "text Hello|", BASE_ERR_DEFLATE);
}

static void refuses_what_cannot_be_inflated(void **state) {
  (void)state;
  breaks("\x06", 1);
  breaks("\xff\xff\xff\xff", 4);
  breaks("\x00\x05\x00\xfa\xfe" "Hello\x00", 11);
  breaks(HELLO, 4);                 /* truncated */
  breaks("\x00\x05\x00\xfa\xff" "Hel", 8);
  breaks("plain", 5);
  assert_int_equal(ws_protocol_close_code(BASE_ERR_DEFLATE), 1007);
}

/* 'n' bytes as a stored block, so that a test can say what a text is. */
static void put_stored(unsigned b0, const char *text, size_t n) {
  uint8_t block[100];
  block[0] = 0;
  block[1] = (uint8_t)n;
  block[2] = 0;
  block[3] = (uint8_t)~n;
  block[4] = 0xff;
  memcpy(block + 5, text, n);
  block[5 + n] = 0;
  put_n(b0, block, n + 6);
}

static void build_euro(void) {
  put_stored(RSV1 | WS_TEXT, "1\xe2", 2); /* and a header: bytes of blocks */
  put_n(FIN | WS_CONTINUATION, "\x00\x00\xff\xff\x00\x02\x00\xfd\xff\x82\xac",
        11);
  put_stored(FIN | RSV1 | WS_BINARY, "\xff", 1);
}

static void build_not_utf8(void) {
  put_stored(FIN | RSV1 | WS_TEXT, "ok", 2);
  put_stored(FIN | RSV1 | WS_TEXT, "a\xffz", 3);
}

static void build_half_utf8(void) {
  put_stored(FIN | RSV1 | WS_TEXT, "a\xe2\x82", 3);
}

/* A block of a byte that is no text, and then one that is no block. */
static void build_not_utf8_then_broken(void) {
  put_n(FIN | RSV1 | WS_TEXT, "\x00\x01\x00\xfe\xff\xff\x06", 7);
}

static void build_not_utf8_then_cut(void) { /* by its end: half a block */
  put_n(FIN | RSV1 | WS_TEXT, "\x00\x02\x00\xfd\xff\xff", 6);
}

static void inflated_text_is_utf8(void **state) {
  (void)state;
  deflated(build_euro, "text 1\u20ac|binary \xff");
  deflated_error(build_not_utf8, "text ok|", BASE_ERR_UTF8);
  deflated_error(build_half_utf8, "", BASE_ERR_UTF8);
  deflated_error(build_not_utf8_then_broken, "", BASE_ERR_UTF8);
  deflated_error(build_not_utf8_then_cut, "", BASE_ERR_UTF8);
}

static void wrong_inflated_text_fails_before_its_end(void **state) {
  struct log l = {"", 0};
  struct ws_protocol p;
  char want[40];
  (void)state;
  begin(WS_SERVER);
  put_stored(RSV1 | WS_TEXT, "a\xffzzz", 5);
  ws_protocol_init(&p, WS_SERVER, MAX_MESSAGE);
  ws_protocol_set_deflate(&p, true);
  feed(&p, wire.bytes, 6 + 5 + 1, &l);
  assert_string_equal(l.text, "");
  feed(&p, wire.bytes + 12, 1, &l);
  (void)snprintf(want, sizeof want, "error %d", BASE_ERR_UTF8);
  assert_string_equal(l.text, want);
  assert_null(p.inflater);
  ws_protocol_deinit(&p);
}

/* So many zeros, as a compressed binary message. */
static size_t zeros_n;
static unsigned zeros_b0;

static void build_zeros(void) {
  static const uint8_t zeros[MAX_MESSAGE + 1] = {0};
  uint8_t out[1000];
  struct ws_deflater *d = ws_deflater_new(15, 9, 9);
  size_t used = zeros_n, made = sizeof out;
  assert_non_null(d);
  assert_true(ws_deflater_run(d, zeros, &used, out, &made, WS_DEFLATE_END));
  ws_deflater_free(d);
  put_n(zeros_b0, out, made);
  if ((zeros_b0 & FIN) == 0)
    put_n(FIN | WS_CONTINUATION, "", 0);
}

static void the_size_of_what_is_inflated_is_bounded(void **state) {
  struct log l;
  int i;
  (void)state;
  for (i = 0; i < 2; i++) {
    zeros_b0 = RSV1 | WS_BINARY | (i == 0 ? (unsigned)FIN : 0);
    zeros_n = MAX_MESSAGE;
    begin_deflate(WS_SERVER, true);
    build_zeros();
    run(&l, wire.n, wire.n);
    assert_memory_equal(l.text, "binary 70000#", 13);
    deflated(build_zeros, l.text);
    zeros_n++;
    deflated_error(build_zeros, "", BASE_ERR_MESSAGE_SIZE);
  }
}

static void the_size_is_told_of_a_message_that_is_too_large(void **state) {
  struct log l = {"", 0};
  struct ws_protocol p;
  (void)state;
  zeros_b0 = FIN | RSV1 | WS_BINARY;
  zeros_n = MAX_MESSAGE;
  begin_deflate(WS_CLIENT, true);
  build_zeros();
  ws_protocol_init(&p, WS_CLIENT, 1000);
  ws_protocol_set_deflate(&p, true);
  feed(&p, wire.bytes, wire.n, &l);
  assert_memory_equal(l.text, "error ", 6);
  assert_int_equal(p.frame.len, 1001); /* at least */
  assert_null(p.message.mem);
  assert_null(p.inflater);
  ws_protocol_deinit(&p);
}

/* What is compressed badly may be longer than what it says. */
static void the_size_on_the_wire_is_not_bounded(void **state) {
  struct log l = {"", 0};
  struct ws_protocol p;
  int i;
  (void)state;
  begin(WS_CLIENT);
  ws_protocol_init(&p, WS_CLIENT, 5);
  ws_protocol_set_deflate(&p, false);
  raw("\x41\x7e\x13\x88", 4); /* 5000 bytes: empty blocks */
  for (i = 0; i < 1000; i++)
    raw("\x00\x00\x00\xff\xff", 5);
  put_n(FIN | WS_CONTINUATION, HELLO, 7);
  feed(&p, wire.bytes, wire.n, &l);
  assert_string_equal(l.text, "text Hello");
  assert_true(p.message.cap <= 1024);
  ws_protocol_deinit(&p);
}

static void an_idle_connection_owns_no_inflater(void **state) {
  int takeover;
  (void)state;
  for (takeover = 0; takeover < 2; takeover++) {
    struct log l = {"", 0};
    struct ws_protocol p;
    begin(WS_CLIENT);
    build_hello();
    ws_protocol_init(&p, WS_CLIENT, MAX_MESSAGE);
    ws_protocol_set_deflate(&p, takeover == 1);
    assert_null(p.inflater);
    feed(&p, wire.bytes, 3, &l);
    assert_non_null(p.inflater); /* midway */
    assert_true(ws_protocol_midway(&p));
    feed(&p, wire.bytes + 3, wire.n - 3, &l);
    assert_string_equal(l.text, "text Hello|binary Hello");
    assert_int_equal(p.inflater != NULL, takeover);
    assert_null(p.message.mem);
    assert_false(ws_protocol_midway(&p));
    ws_protocol_deinit(&p);
    assert_null(p.inflater);
  }
}

static void inflating_survives_a_want_of_memory(void **state) {
  base_realloc_fn *before = base_mem_realloc_hook;
  char want[40];
  int nth;
  bool ok = false;
  (void)state;
  (void)snprintf(want, sizeof want, "error %d", BASE_ERR_MEMORY);
  begin(WS_CLIENT);
  build_hello_in_pieces();
  base_mem_realloc_hook = failing;
  for (nth = 0; !ok && nth < 50; nth++) {
    struct log l = {"", 0};
    struct ws_protocol p;
    allowed = nth;
    ws_protocol_init(&p, WS_CLIENT, MAX_MESSAGE);
    ws_protocol_set_deflate(&p, true);
    feed(&p, wire.bytes, wire.n, &l);
    ok = strcmp(l.text, "text Hello|text Hello") == 0;
    if (!ok && strcmp(l.text, want) != 0 &&
        strstr(l.text, "text Hello|error") == NULL)
      fail_msg("%s", l.text);
    ws_protocol_deinit(&p);
  }
  base_mem_realloc_hook = before;
  assert_true(ok);
  assert_in_range(nth, 3, 20);
}

static void build_closing(void) {
  put_n(RSV1 | WS_TEXT, HELLO, 3);
  put(FIN | WS_CLOSE, "\x03\xe9" "bye");
  put_n(FIN | WS_CONTINUATION, &HELLO[3], 4);
}

static void a_close_ends_a_compressed_message(void **state) {
  (void)state;
  deflated(build_closing, "close 1001 bye");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_the_examples_of_the_rfc),
    cmocka_unit_test(reads_messages_and_control_frames_in_order),
    cmocka_unit_test(reads_large_messages_up_to_the_limit),
    cmocka_unit_test(refuses_reserved_bits),
    cmocka_unit_test(refuses_reserved_opcodes),
    cmocka_unit_test(refuses_frames_masked_in_the_wrong_direction),
    cmocka_unit_test(a_server_takes_no_frame_without_a_mask),
    cmocka_unit_test(a_server_unmasks_whatever_the_cuts),
    cmocka_unit_test(a_key_of_zeros_is_a_mask),
    cmocka_unit_test(refuses_control_frames_too_long_or_in_pieces),
    cmocka_unit_test(refuses_fragments_out_of_order),
    cmocka_unit_test(refuses_lengths_not_in_the_shortest_form),
    cmocka_unit_test(reads_close_frames),
    cmocka_unit_test(refuses_malformed_close_frames),
    cmocka_unit_test(refuses_text_that_is_not_utf8),
    cmocka_unit_test(each_text_is_checked_afresh),
    cmocka_unit_test(wrong_text_fails_in_the_middle_of_a_frame),
    cmocka_unit_test(a_header_is_judged_before_its_payload),
    cmocka_unit_test(messages_have_their_greatest_size),
    cmocka_unit_test(a_whole_message_is_lent_where_it_lies),
    cmocka_unit_test(memory_goes_after_a_message_was_delivered),
    cmocka_unit_test(memory_grows_with_what_arrived),
    cmocka_unit_test(empty_fragments_without_end_cost_no_memory),
    cmocka_unit_test(survives_a_want_of_memory),
    cmocka_unit_test(nothing_comes_after_a_close_or_an_error),
    cmocka_unit_test(the_rest_can_be_kept_and_fed_later),
    cmocka_unit_test(knows_when_it_is_midway),
    cmocka_unit_test(knows_the_codes_of_closing),
    cmocka_unit_test(reads_compressed_messages),
    cmocka_unit_test(control_frames_stand_between_compressed_ones),
    cmocka_unit_test(plain_messages_stand_between_compressed_ones),
    cmocka_unit_test(the_window_goes_on_where_that_was_agreed_on),
    cmocka_unit_test(the_first_reserved_bit_is_for_first_frames_of_data),
    cmocka_unit_test(refuses_what_cannot_be_inflated),
    cmocka_unit_test(inflated_text_is_utf8),
    cmocka_unit_test(wrong_inflated_text_fails_before_its_end),
    cmocka_unit_test(the_size_of_what_is_inflated_is_bounded),
    cmocka_unit_test(the_size_is_told_of_a_message_that_is_too_large),
    cmocka_unit_test(the_size_on_the_wire_is_not_bounded),
    cmocka_unit_test(an_idle_connection_owns_no_inflater),
    cmocka_unit_test(inflating_survives_a_want_of_memory),
    cmocka_unit_test(a_close_ends_a_compressed_message),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
