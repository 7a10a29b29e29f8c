#include "ws/date.h"

#include <stdint.h>
#include <string.h>

#include "ws/ascii.h"

enum { DATE_SIZE = WS_DATE_SIZE - 1, EPOCH_YEAR = 1970 };

/* Digits stand where 'shape' has a 0, names where it has letters. */
static const char shape[] = "Www, 00 Mmm 0000 00:00:00 GMT";

static const char weekdays[] = "MonTueWedThuFriSatSun";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

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

static int days_in(int month, int year) {
  static const int lengths[] = {31, 28, 31, 30, 31, 30,
                                31, 31, 30, 31, 30, 31};
  return lengths[month] + (month == 1 && is_leap(year));
}

bool ws_date_parse(double *out, const char *s) {
  int year, month, day, hour, minute, second, m;
  long days;
  if (!fits_shape(s) || name(weekdays, s) < 0)
    return false;
  day = number(s + 5, 2);
  month = name(months, s + 8);
  year = number(s + 12, 4);
  hour = number(s + 17, 2);
  minute = number(s + 20, 2);
  second = number(s + 23, 2);
  if (month < 0 || year < 1 || day < 1 || hour > 23 || minute > 59 ||
      second > 60 || /* a leap second */
      day > days_in(month, year))
    return false;
  days = days_before_year(year) - days_before_year(EPOCH_YEAR) + day - 1;
  for (m = 0; m < month; m++)
    days += days_in(m, year);
  *out = (double)days * 86400.0 + hour * 3600.0 + minute * 60.0 + second;
  return true;
}

static void put_number(char *out, int digits, long v) {
  for (; digits > 0; v /= 10)
    out[--digits] = (char)('0' + v % 10);
}

void ws_date_format(char out[WS_DATE_SIZE], double epoch_seconds) {
  const double last = 253402300799.0; /* of the year 9999 */
  int month = 0, year;
  long days, second;
  int64_t t = 0;
  if (epoch_seconds > 0) /* false for what is not a number */
    t = (int64_t)(epoch_seconds < last ? epoch_seconds : last);
  days = (long)(t / 86400);
  second = (long)(t % 86400);
  memcpy(out, shape, sizeof shape);
  memcpy(out, weekdays + (days + 3) % 7 * 3, 3); /* 1970 began a Thursday */
  year = EPOCH_YEAR + (int)(days / 366); /* never too late */
  days += days_before_year(EPOCH_YEAR);
  while (days_before_year(year + 1) <= days)
    year++;
  days -= days_before_year(year);
  while (days >= days_in(month, year))
    days -= days_in(month++, year);
  put_number(out + 5, 2, days + 1);
  memcpy(out + 8, months + (size_t)month * 3, 3);
  put_number(out + 12, 4, year);
  put_number(out + 17, 2, second / 3600);
  put_number(out + 20, 2, second / 60 % 60);
  put_number(out + 23, 2, second % 60);
}
