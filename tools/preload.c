/*
** Loaded in front of the interpreter for `make asan`. Children shall not
** inherit the sanitizer, and modules stay mapped, because a report names the
** functions of a leak after Lua has closed its libraries.
*/
#include <stdlib.h>

int dlclose(void *handle);

__attribute__((constructor)) static void forget(void) {
  unsetenv("LD_PRELOAD");
}

int dlclose(void *handle) {
  (void)handle;
  return 0;
}
