/* net/document: regular files below a folder, and nothing else. */
#include "net_support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/document.h"

static char home[64]; /* with "root" in it, and what must not be reached */
static char root[96];

static char *in_home(const char *name) {
  static char path[2][160];
  static int turn;
  turn = !turn;
  (void)snprintf(path[turn], sizeof path[turn], "%s/%s", home, name);
  return path[turn];
}

static void put(const char *name, const char *text) {
  FILE *f = fopen(in_home(name), "wb");
  assert_non_null(f);
  assert_int_equal(fputs(text, f) >= 0, 1);
  assert_int_equal(fclose(f), 0);
}

static int setup(void **state) {
  (void)state;
  (void)snprintf(home, sizeof home, "/tmp/uvwss-document-XXXXXX");
  assert_non_null(mkdtemp(home));
  (void)snprintf(root, sizeof root, "%s/root", home);
  assert_int_equal(mkdir(root, 0700), 0);
  assert_int_equal(mkdir(in_home("root/sub"), 0700), 0);
  assert_int_equal(mkdir(in_home("rooted"), 0700), 0);
  put("secret", "no");
  put("rooted/secret", "no");
  put("root/page", "12345");
  put("root/sub/page", "sub");
  assert_int_equal(symlink("../secret", in_home("root/out")), 0);
  assert_int_equal(symlink("/", in_home("root/all")), 0);
  assert_int_equal(symlink("../rooted", in_home("root/beside")), 0);
  assert_int_equal(symlink("sub/page", in_home("root/in")), 0);
  assert_int_equal(symlink(root, in_home("root/itself")), 0);
  assert_int_equal(symlink("loop", in_home("root/loop")), 0);
  assert_int_equal(symlink("nowhere", in_home("root/broken")), 0);
  assert_int_equal(mkfifo(in_home("root/fifo"), 0600), 0);
  return 0;
}

static int teardown(void **state) {
  char command[96];
  (void)state;
  (void)snprintf(command, sizeof command, "rm -rf %s", home);
  return system(command);
}

static int refusal(const char *path) {
  int err = 0;
  FILE *f = net_document_open(root, path, 100, &err);
  assert_null(f);
  return -err;
}

static void is(const char *path, const char *text) {
  char data[16];
  int err = 0;
  FILE *f = net_document_open(root, path, 100, &err);
  size_t n;
  assert_non_null(f);
  n = fread(data, 1, sizeof data, f);
  assert_int_equal(n, strlen(text));
  assert_memory_equal(data, text, n);
  assert_int_equal(fclose(f), 0);
}

static void opens_what_is_below(void **state) {
  (void)state;
  is("page", "12345");
  is("sub/page", "sub");
  is("in", "sub");
  is("itself/page", "12345");
  is("sub/../page", "12345");
}

static void refuses_what_leads_out(void **state) {
  (void)state;
  assert_int_equal(refusal("../secret"), EXDEV);
  assert_int_equal(refusal("sub/../../secret"), EXDEV);
  assert_int_equal(refusal("out"), EXDEV);
  assert_int_equal(refusal("all"), EXDEV);
  assert_int_equal(refusal("all/etc/passwd"), EXDEV);
  /* Its name begins as the root's does. */
  assert_int_equal(refusal("beside/secret"), EXDEV);
}

static void refuses_what_is_no_file(void **state) {
  (void)state;
  assert_int_equal(refusal(""), EISDIR);
  assert_int_equal(refusal("."), EISDIR);
  assert_int_equal(refusal("sub/"), EISDIR);
  assert_int_equal(refusal("fifo"), EINVAL); /* and waits for nobody */
  assert_int_equal(refusal("nothing"), ENOENT);
  assert_int_equal(refusal("broken"), ENOENT);
  assert_int_equal(refusal("page/"), ENOTDIR);
  assert_int_equal(refusal("loop"), ELOOP);
}

static void refuses_what_is_too_large_or_too_long(void **state) {
  char name[5000];
  int err = 0;
  FILE *f;
  (void)state;
  f = net_document_open(root, "page", 5, &err);
  assert_non_null(f);
  assert_int_equal(fclose(f), 0);
  assert_null(net_document_open(root, "page", 4, &err));
  assert_int_equal(err, -EFBIG);
  memset(name, 'a', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  assert_int_equal(refusal(name), ENAMETOOLONG);
}

static void a_root_that_is_not_there_has_nothing(void **state) {
  int err = 0;
  (void)state;
  assert_null(net_document_open(in_home("nothing"), "page", 9, &err));
  assert_int_equal(err, -ENOENT);
}

static void everything_is_below_the_root_of_all(void **state) {
  int err = 0;
  FILE *f;
  (void)state;
  f = net_document_open("/", in_home("secret"), 9, &err);
  assert_non_null(f);
  assert_int_equal(fclose(f), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(opens_what_is_below),
    cmocka_unit_test(refuses_what_leads_out),
    cmocka_unit_test(refuses_what_is_no_file),
    cmocka_unit_test(refuses_what_is_too_large_or_too_long),
    cmocka_unit_test(a_root_that_is_not_there_has_nothing),
    cmocka_unit_test(everything_is_below_the_root_of_all),
  };
  support_watchdog();
  return cmocka_run_group_tests(tests, setup, teardown);
}
