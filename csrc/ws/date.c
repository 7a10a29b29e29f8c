#include "ws/date.h"

#include <string.h>

#include "ws/ascii.h"

enum { DATE_SIZE = 29, EPOCH_YEAR = 1970 };

/* Digits stand where 'shape' has a 0, names where it has letters. */
static const char shape[] = "Www, 00 Mmm 0000 00:00:00 GMT";

static bool fits_shape(const char *s) {
  size_t i;
  if (strlen(s) != DATE_SIZE)
    return false;
  for (i = 0; i < DATE_SIZE; i++) {
    bool in_name = i < 3 || (i >= 8 && i < 11);
    if (shape[i] == '0' ? !ws_ascii_is_digit(s[i])
                        : !in_name && s[i] != shape[i])
      return false;
  }
  return true;
}

static int number(const char *s, int digits) {
  int v = 0;
  while (digits-- > 0)
    v = v * 10 + (*s++ - '0');
  return v;
}

/* Which of the names of three letters 's' begins with, or -1. */
static int name(const char *names, const char *s) {
  int i;
  for (i = 0; names[3 * i] != '\0'; i++)
    if (memcmp(names + 3 * i, s, 3) == 0)
      return i;
  return -1;
}

static bool is_leap(int year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static long days_before_year(int year) {
  long y = year - 1;
  return 365 * y + y / 4 - y / 100 + y / 400;
}

bool ws_date_parse(double *out, const char *s) {
  static const int lengths[] = {31, 28, 31, 30, 31, 30,
                                31, 31, 30, 31, 30, 31};
  int year, month, day, hour, minute, second, m;
  long days;
  if (!fits_shape(s) || name("MonTueWedThuFriSatSun", s) < 0)
    return false;
  day = number(s + 5, 2);
  month = name("JanFebMarAprMayJunJulAugSepOctNovDec", s + 8);
  year = number(s + 12, 4);
  hour = number(s + 17, 2);
  minute = number(s + 20, 2);
  second = number(s + 23, 2);
  if (month < 0 || year < 1 || day < 1 || hour > 23 || minute > 59 ||
      second > 60 || /* a leap second */
      day > lengths[month] + (month == 1 && is_leap(year)))
    return false;
  days = days_before_year(year) - days_before_year(EPOCH_YEAR) + day - 1;
  for (m = 0; m < month; m++)
    days += lengths[m] + (m == 1 && is_leap(year));
  *out = (double)days * 86400.0 + hour * 3600.0 + minute * 60.0 + second;
  return true;
}
