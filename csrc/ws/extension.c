#include "ws/extension.h"

#include <stdio.h>
#include <string.h>

#include "ws/ascii.h"

static const char name[] = "permessage-deflate";

/* ---- reading (RFC 6455, 9.1) -------------------------------------------- */

struct param {
  struct ws_span name, value;
  bool has_value;
};

static void skip_space(const char **s) {
  while (**s == ' ' || **s == '\t')
    ++*s;
}

/* RFC 9110, 5.6.2 */
static bool take_token(const char **s, struct ws_span *out) {
  out->at = *s;
  while (**s != '\0' && ws_head_is_token(*s, 1))
    ++*s;
  out->len = (size_t)(*s - out->at);
  return out->len > 0;
}

/* A value in quotes must be a token inside of them (RFC 6455, 9.1). */
static bool take_value(const char **s, struct ws_span *out) {
  bool quoted = **s == '"';
  if (quoted)
    ++*s;
  if (!take_token(s, out))
    return false;
  if (!quoted)
    return true;
  if (**s != '"')
    return false;
  ++*s;
  return true;
}

/* The next parameter of an element: 1, 0 at its end, -1 if it is malformed. */
static int take_param(const char **s, struct param *out) {
  skip_space(s);
  if (**s == '\0' || **s == ',')
    return 0;
  if (**s != ';')
    return -1;
  ++*s;
  skip_space(s);
  if (!take_token(s, &out->name))
    return -1;
  skip_space(s);
  out->has_value = **s == '=';
  if (!out->has_value)
    return 1;
  ++*s;
  skip_space(s);
  return take_value(s, &out->value) ? 1 : -1;
}

/* The parameters of one element, as they stand. */
struct params {
  bool server_no_context_takeover, client_no_context_takeover;
  bool has_server_bits, has_client_bits;
  int server_bits, client_bits; /* 0: without a value */
};

static bool is_named(const struct param *p, const char *text) {
  return ws_ascii_same(p->name.at, p->name.len, text);
}

/* RFC 7692, 7.1.2: 8 to 15, without leading zeros. */
static bool read_bits(const struct param *p, int *out) {
  const char *s = p->value.at;
  size_t n = p->value.len;
  if (n == 1 && (s[0] == '8' || s[0] == '9'))
    *out = s[0] - '0';
  else if (n == 2 && s[0] == '1' && s[1] >= '0' && s[1] <= '5')
    *out = 10 + s[1] - '0';
  else
    return false;
  return true;
}

static bool set_flag(const struct param *p, bool *flag) {
  if (*flag || p->has_value)
    return false; /* twice, or with a value: RFC 7692, 7.1.1 */
  *flag = true;
  return true;
}

static bool set_bits(const struct param *p, bool *has, int *bits,
                     bool value_needed) {
  if (*has || (value_needed && !p->has_value))
    return false;
  *has = true;
  *bits = 0;
  return !p->has_value || read_bits(p, bits);
}

/* 'answer': the value of client_max_window_bits is needed there, in an offer
** it is not (RFC 7692, 7.1.2.2). False for what is unknown or malformed. */
static bool take_params(const char **s, struct params *out, bool answer) {
  struct param p;
  int got;
  bool ok = true;
  memset(out, 0, sizeof *out);
  while (ok && (got = take_param(s, &p)) != 0) {
    if (got < 0)
      return false;
    if (is_named(&p, "server_no_context_takeover"))
      ok = set_flag(&p, &out->server_no_context_takeover);
    else if (is_named(&p, "client_no_context_takeover"))
      ok = set_flag(&p, &out->client_no_context_takeover);
    else if (is_named(&p, "server_max_window_bits"))
      ok = set_bits(&p, &out->has_server_bits, &out->server_bits, true);
    else if (is_named(&p, "client_max_window_bits"))
      ok = set_bits(&p, &out->has_client_bits, &out->client_bits, answer);
    else
      ok = false;
  }
  return ok;
}

/* To the next element of the list, over anything; a comma in quotes is none. */
static void skip_element(const char **s) {
  bool quoted = false;
  for (; **s != '\0' && (quoted || **s != ','); ++*s) {
    if (**s == '"')
      quoted = !quoted;
    else if (quoted && **s == '\\' && (*s)[1] != '\0')
      ++*s;
  }
  if (**s == ',')
    ++*s;
}

/* ---- writing ------------------------------------------------------------ */

static void put(char out[WS_EXTENSION_SIZE], const char *text) {
  size_t n = strlen(out);
  (void)snprintf(out + n, WS_EXTENSION_SIZE - n, "; %s", text);
}

static void put_bits(char out[WS_EXTENSION_SIZE], const char *text, int bits) {
  char param[40];
  (void)snprintf(param, sizeof param, "%s=%d", text, bits);
  put(out, param);
}

void ws_extension_offer(char out[WS_EXTENSION_SIZE],
                        const struct ws_deflate_wish *wish) {
  (void)snprintf(out, WS_EXTENSION_SIZE, "%s", name);
  if (wish->server_no_context_takeover)
    put(out, "server_no_context_takeover");
  if (wish->client_no_context_takeover)
    put(out, "client_no_context_takeover");
  if (wish->server_max_window_bits != 0)
    put_bits(out, "server_max_window_bits", wish->server_max_window_bits);
  /* RFC 7692, 7.1.2.2: without it the server may not ask for less */
  if (wish->client_max_window_bits != 0)
    put_bits(out, "client_max_window_bits", wish->client_max_window_bits);
  else
    put(out, "client_max_window_bits");
}

/* ---- the client's side -------------------------------------------------- */

const char *ws_extension_check(struct ws_deflate_deal *out, const char *answer,
                               const struct ws_deflate_wish *wish) {
  struct ws_span extension;
  struct params p;
  memset(out, 0, sizeof *out);
  if (answer == NULL)
    return NULL;
  skip_space(&answer);
  if (!take_token(&answer, &extension) ||
      !ws_ascii_same(extension.at, extension.len, name))
    return "names an extension that was not offered";
  if (!take_params(&answer, &p, true))
    return "has a parameter that is unknown, repeated or malformed";
  if (*answer != '\0')
    return "has more than one extension";
  /* RFC 7692, 7.1.1.1 and 7.1.2.1: what was asked for must be granted */
  if (wish->server_no_context_takeover && !p.server_no_context_takeover)
    return "lacks server_no_context_takeover, which was asked for";
  if (wish->server_max_window_bits != 0 &&
      (!p.has_server_bits || p.server_bits > wish->server_max_window_bits))
    return "has a larger server_max_window_bits than was asked for";
  if (p.has_client_bits && wish->client_max_window_bits != 0 &&
      p.client_bits > wish->client_max_window_bits)
    return "has a larger client_max_window_bits than was offered";
  out->on = true;
  out->server_no_context_takeover = p.server_no_context_takeover;
  out->client_no_context_takeover =
    p.client_no_context_takeover || wish->client_no_context_takeover;
  out->server_window_bits =
    p.has_server_bits ? p.server_bits : WS_WINDOW_BITS_MAX;
  out->client_window_bits = p.has_client_bits ? p.client_bits
                            : wish->client_max_window_bits != 0
                              ? wish->client_max_window_bits
                              : WS_WINDOW_BITS_MAX;
  return NULL;
}

/* ---- the server's side -------------------------------------------------- */

/* The smaller one of two, where 0 is none. */
static int least(int a, int b) {
  if (a == 0 || b == 0)
    return a + b;
  return a < b ? a : b;
}

/* RFC 7692, 7.1: answer what was offered, and what we want besides. */
static void fulfil(struct ws_deflate_deal *deal,
                   char answer[WS_EXTENSION_SIZE], const struct params *p,
                   const struct ws_deflate_wish *wish) {
  int server = least(p->server_bits, wish->server_max_window_bits);
  int client = least(p->client_bits, wish->client_max_window_bits);
  if (!p->has_client_bits)
    client = 0; /* it must not be told, so that it may use all of it */
  deal->on = true;
  deal->server_no_context_takeover =
    p->server_no_context_takeover || wish->server_no_context_takeover;
  deal->client_no_context_takeover =
    p->client_no_context_takeover || wish->client_no_context_takeover;
  deal->server_window_bits = server != 0 ? server : WS_WINDOW_BITS_MAX;
  deal->client_window_bits = client != 0 ? client : WS_WINDOW_BITS_MAX;
  (void)snprintf(answer, WS_EXTENSION_SIZE, "%s", name);
  if (deal->server_no_context_takeover)
    put(answer, "server_no_context_takeover");
  if (deal->client_no_context_takeover)
    put(answer, "client_no_context_takeover");
  if (server != 0)
    put_bits(answer, "server_max_window_bits", server);
  if (client != 0)
    put_bits(answer, "client_max_window_bits", client);
}

/* One field's list of offers. */
static bool accept_list(struct ws_deflate_deal *deal,
                        char answer[WS_EXTENSION_SIZE], const char *list,
                        const struct ws_deflate_wish *wish) {
  struct ws_span extension;
  struct params p;
  while (*list != '\0') {
    const char *s = list;
    skip_space(&s);
    if (take_token(&s, &extension) &&
        ws_ascii_same(extension.at, extension.len, name) &&
        take_params(&s, &p, false)) {
      fulfil(deal, answer, &p, wish);
      return true;
    }
    skip_element(&list); /* from its start: 's' may stand within quotes */
  }
  return false;
}

bool ws_extension_accept(struct ws_deflate_deal *deal,
                         char answer[WS_EXTENSION_SIZE],
                         const struct ws_head *request,
                         const struct ws_deflate_wish *wish) {
  size_t i;
  memset(deal, 0, sizeof *deal);
  for (i = 0; i < request->count; i++)
    if (strcmp(request->fields[i].name, "sec-websocket-extensions") == 0 &&
        accept_list(deal, answer, request->fields[i].value, wish))
      return true;
  return false;
}
