/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define US_PER_S INT64_C(1000000)

static struct timespec now(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return t;
}

int64_t clock_monotonic_ms(void)
{
    struct timespec t = now(CLOCK_MONOTONIC);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_wall_us(void)
{
    struct timespec t = now(CLOCK_REALTIME);
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

/* The calendar, without the time zone data that gmtime_r and timegm may read. */
struct date {
    int year, month, day;
};

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar; years from March on. */
static int64_t days_of(struct date d)
{
    int64_t year = d.month <= 2 ? d.year - 1 : d.year;
    int64_t era = year / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (d.month + (d.month > 2 ? -3 : 9)) + 2) / 5 + d.day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct date date_of(int64_t days)
{
    days += 719468;
    int64_t era = days / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t march_month = (5 * of_year + 2) / 153;
    int month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    return (struct date){
        .year = (int)(year + era * 400 + (month <= 2)),
        .month = month,
        .day = (int)(of_year - (153 * march_month + 2) / 5 + 1),
    };
}

struct moment {
    struct date date;
    int hour, minute, second, microsecond;
};

/* Clamped to the years that four digits can write. */
static struct moment moment_of(int64_t wall_us)
{
    const int64_t last = INT64_C(253402300799999999); /* 9999-12-31T23:59:59.999999 */
    if (wall_us < 0)
        wall_us = 0;
    if (wall_us > last)
        wall_us = last;
    int64_t seconds = wall_us / US_PER_S;
    int64_t of_day = seconds % 86400;
    return (struct moment){
        .date = date_of(seconds / 86400),
        .hour = (int)(of_day / 3600),
        .minute = (int)(of_day / 60 % 60),
        .second = (int)(of_day % 60),
        .microsecond = (int)(wall_us % US_PER_S),
    };
}

/* printf is slower than all else that an agent does with a small state. */
static char *put_digits(char *at, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

static char *put_date(char *at, struct date date, const char *separator)
{
    at = put_digits(at, date.year, 4);
    if (*separator != '\0')
        *at++ = *separator;
    at = put_digits(at, date.month, 2);
    if (*separator != '\0')
        *at++ = *separator;
    return put_digits(at, date.day, 2);
}

void clock_format_iso(char out[CLOCK_ISO_SIZE], int64_t wall_us)
{
    struct moment m = moment_of(wall_us);
    char *at = put_date(out, m.date, "-");
    *at++ = 'T';
    at = put_digits(at, m.hour, 2);
    *at++ = ':';
    at = put_digits(at, m.minute, 2);
    *at++ = ':';
    at = put_digits(at, m.second, 2);
    *at++ = '.';
    at = put_digits(at, m.microsecond, 6);
    *at = '\0';
}

void clock_format_basic(char out[CLOCK_BASIC_SIZE], int64_t wall_us)
{
    struct moment m = moment_of(wall_us);
    char *at = put_date(out, m.date, "");
    *at++ = 'T';
    at = put_digits(at, m.hour, 2);
    at = put_digits(at, m.minute, 2);
    at = put_digits(at, m.second, 2);
    *at++ = 'Z';
    *at = '\0';
}

/* A position in a text; failed once something else stands there than was asked for. */
struct scan {
    struct bytes text;
    size_t at;
    bool failed;
};

static int scan_digits(struct scan *s, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++, s->at++) {
        if (s->at >= s->text.len || s->text.at[s->at] < '0' || s->text.at[s->at] > '9') {
            s->failed = true;
            return 0;
        }
        value = value * 10 + (s->text.at[s->at] - '0');
    }
    return value;
}

static bool scan_is(struct scan *s, char c)
{
    if (s->failed || s->at >= s->text.len || s->text.at[s->at] != (uint8_t)c)
        return false;
    s->at++;
    return true;
}

static void scan_want(struct scan *s, char c, bool wanted)
{
    if (wanted && !scan_is(s, c))
        s->failed = true;
}

/* Any number of digits behind a point; what is finer than a microsecond is dropped. */
static int scan_fraction(struct scan *s)
{
    int value = 0, unit = 100000;
    size_t first = s->at;
    while (s->at < s->text.len && s->text.at[s->at] >= '0' && s->text.at[s->at] <= '9') {
        value += unit * (s->text.at[s->at] - '0');
        unit /= 10;
        s->at++;
    }
    if (s->at == first)
        s->failed = true;
    return value;
}

/* Minutes east of Greenwich. */
static int scan_zone(struct scan *s)
{
    if (scan_is(s, 'Z'))
        return 0;
    int sign = scan_is(s, '+') ? 1 : -1;
    if (sign < 0)
        scan_want(s, '-', true);
    int hours = scan_digits(s, 2);
    scan_want(s, ':', true);
    int minutes = scan_digits(s, 2);
    if (hours > 23 || minutes > 59)
        s->failed = true;
    return sign * (hours * 60 + minutes);
}

static bool moment_is_valid(const struct moment *m)
{
    if (m->date.month < 1 || m->date.month > 12 || m->date.year < 1970)
        return false;
    /* A day that the month does not have comes back as another one. */
    struct date same = date_of(days_of(m->date));
    return same.day == m->date.day && same.month == m->date.month && m->hour < 24 &&
           m->minute < 60 && m->second < 60;
}

bool clock_parse(struct bytes text, int64_t *wall_us)
{
    struct scan s = {.text = text};
    struct moment m = {0};
    bool extended = text.len > 4 && text.at[4] == '-';
    m.date.year = scan_digits(&s, 4);
    scan_want(&s, '-', extended);
    m.date.month = scan_digits(&s, 2);
    scan_want(&s, '-', extended);
    m.date.day = scan_digits(&s, 2);
    scan_want(&s, 'T', true);
    m.hour = scan_digits(&s, 2);
    scan_want(&s, ':', extended);
    m.minute = scan_digits(&s, 2);
    scan_want(&s, ':', extended);
    m.second = scan_digits(&s, 2);
    if (scan_is(&s, '.'))
        m.microsecond = scan_fraction(&s);
    int zone = scan_zone(&s);
    if (s.failed || s.at != text.len || !moment_is_valid(&m))
        return false;
    int64_t minutes = days_of(m.date) * 1440 + m.hour * 60 + m.minute - zone;
    *wall_us = (minutes * 60 + m.second) * US_PER_S + m.microsecond;
    return *wall_us >= 0;
}
