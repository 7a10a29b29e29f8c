#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const char *const kind_names[] = {
#define X(name, text) text,
  BASE_KIND_MAP(X)
#undef X
};

static const struct {
  enum base_kind kind;
  const char *code, *text;
} rows[] = {
#define X(name, kind, code, text) {BASE_KIND_##kind, code, text},
  BASE_ERR_MAP(X)
#undef X
};

static struct base_error no_memory = {
  BASE_KIND_LIMIT, "memory", "there is not enough memory", NULL, NULL, NULL
};

const char *base_kind_name(enum base_kind kind) {
  return kind_names[kind];
}

/* Anything that is not in the list is a want of memory: the first row. */
static size_t row_of(int err) {
  int i = err - (BASE_ERR_FIRST_ + 1);
  return i >= 0 && err < BASE_ERR_LAST_ ? (size_t)i : 0;
}

const char *base_err_text(int err) {
  return rows[row_of(err)].text;
}

struct base_error *base_error_new(enum base_kind kind, const char *code,
                                  const char *format, ...) {
  va_list ap;
  struct base_error *e = (struct base_error *)base_calloc(1, sizeof *e);
  if (e == NULL)
    return &no_memory;
  e->kind = kind;
  (void)snprintf(e->code, sizeof e->code, "%s", code);
  va_start(ap, format);
  (void)vsnprintf(e->message, sizeof e->message, format, ap);
  va_end(ap);
  return e;
}

struct base_error *base_error_from(int err) {
  size_t i = row_of(err);
  if (err == BASE_ERR_MEMORY)
    return &no_memory;
  return base_error_new(rows[i].kind, rows[i].code, "%s", rows[i].text);
}

void base_error_free(struct base_error *e) {
  while (e != NULL && e != &no_memory) {
    struct base_error *next = e->next;
    struct base_field *f = e->fields;
    while (f != NULL) {
      struct base_field *after = f->next;
      base_free(f->text);
      base_free(f);
      f = after;
    }
    base_error_free(e->attempts); /* no deeper than one: see attempt */
    base_free(e);
    e = next;
  }
}

static struct base_field *add(struct base_error *e, const char *name,
                              enum base_field_type type, const char *text,
                              size_t size) {
  struct base_field *f, **last;
  if (e == &no_memory)
    return NULL;
  f = (struct base_field *)base_calloc(1, sizeof *f);
  if (f == NULL)
    return NULL;
  if (text != NULL) {
    f->text = base_strndup(text, size);
    if (f->text == NULL) {
      base_free(f);
      return NULL;
    }
  }
  f->name = name;
  f->type = type;
  f->size = size;
  for (last = &e->fields; *last != NULL; last = &(*last)->next)
    continue;
  *last = f;
  return f;
}

void base_error_text(struct base_error *e, const char *name, const char *text) {
  (void)add(e, name, BASE_FIELD_TEXT, text, strlen(text));
}

void base_error_number(struct base_error *e, const char *name, double number) {
  struct base_field *f = add(e, name, BASE_FIELD_NUMBER, NULL, 0);
  if (f != NULL)
    f->number = number;
}

void base_error_list(struct base_error *e, const char *name,
                     enum base_field_type type, const char *items,
                     size_t size) {
  (void)add(e, name, type, items, size);
}

void base_error_attempt(struct base_error *e, struct base_error *attempt) {
  struct base_error **last;
  if (e == &no_memory || attempt == &no_memory) {
    base_error_free(attempt);
    return;
  }
  base_error_free(attempt->attempts);
  attempt->attempts = NULL;
  for (last = &e->attempts; *last != NULL; last = &(*last)->next)
    continue;
  *last = attempt;
}

const struct base_field *base_error_field(const struct base_error *e,
                                          const char *name) {
  const struct base_field *f;
  for (f = e->fields; f != NULL; f = f->next)
    if (strcmp(f->name, name) == 0)
      return f;
  return NULL;
}
