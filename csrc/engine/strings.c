#include "engine/strings.h"

#include "base/mem.h"

bool engine_strings_add(struct engine_strings *list, const char *s, size_t n) {
  char **items, *copy;
  items = (char **)base_realloc(list->items,
                                (list->count + 1) * sizeof *items);
  if (items == NULL)
    return false;
  list->items = items;
  copy = base_strndup(s, n);
  if (copy == NULL)
    return false;
  items[list->count++] = copy;
  return true;
}

void engine_strings_deinit(struct engine_strings *list) {
  size_t i;
  for (i = 0; i < list->count; i++)
    base_free(list->items[i]);
  base_free(list->items);
  list->items = NULL;
  list->count = 0;
}
