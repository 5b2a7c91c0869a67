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

/* A moment in UTC: its fields in the order in which they are written. */
enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, MICROSECOND, FIELDS };

/*
 * The calendar, without the time zone data that gmtime_r and timegm may read: days since 1970-01-01
 * of a date of the proleptic Gregorian calendar, and back. Years count from March on.
 */
static int64_t days_of(const int *field)
{
    int64_t year = field[MONTH] <= 2 ? field[YEAR] - 1 : field[YEAR];
    int64_t era = year / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (field[MONTH] + (field[MONTH] > 2 ? -3 : 9)) + 2) / 5 + field[DAY] - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void set_date(int *field, int64_t days)
{
    days += 719468;
    int64_t era = days / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t march_month = (5 * of_year + 2) / 153;
    field[MONTH] = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    field[YEAR] = (int)(year + era * 400 + (field[MONTH] <= 2));
    field[DAY] = (int)(of_year - (153 * march_month + 2) / 5 + 1);
}

/* Clamped to the years that four digits can write. */
static void set_fields(int field[FIELDS], int64_t wall_us)
{
    const int64_t last = INT64_C(253402300799999999); /* 9999-12-31T23:59:59.999999 */
    if (wall_us < 0)
        wall_us = 0;
    if (wall_us > last)
        wall_us = last;
    int64_t seconds = wall_us / US_PER_S;
    int64_t of_day = seconds % 86400;
    set_date(field, seconds / 86400);
    field[HOUR] = (int)(of_day / 3600);
    field[MINUTE] = (int)(of_day / 60 % 60);
    field[SECOND] = (int)(of_day % 60);
    field[MICROSECOND] = (int)(wall_us % US_PER_S);
}

/*
 * Patterns: a digit stands for the next field in that many digits, all else for itself. Not printf:
 * that is slower than all else that an agent does with a small state.
 */
#define EXTENDED "4-2-2T2:2:2"
#define BASIC    "422T222"

static void put(char *at, const char *pattern, const int *field)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern < '0' || *pattern > '9') {
            *at++ = *pattern;
            continue;
        }
        int digits = *pattern - '0', value = *field++;
        for (int i = digits - 1; i >= 0; i--, value /= 10)
            at[i] = (char)('0' + value % 10);
        at += digits;
    }
    *at = '\0';
}

void clock_format_iso(char out[CLOCK_ISO_SIZE], int64_t wall_us)
{
    int field[FIELDS];
    set_fields(field, wall_us);
    put(out, EXTENDED ".6", field);
}

void clock_format_basic(char out[CLOCK_BASIC_SIZE], int64_t wall_us)
{
    int field[FIELDS];
    set_fields(field, wall_us);
    put(out, BASIC "Z", field);
}

/* A digit at the front of text, which it is taken off; -1 if there is none. */
static int take_digit(struct bytes *text)
{
    if (text->len == 0 || text->at[0] < '0' || text->at[0] > '9')
        return -1;
    int digit = text->at[0] - '0';
    *text = bytes_from(*text, 1);
    return digit;
}

/* Takes what the pattern says off the front of text. */
static bool take(struct bytes *text, const char *pattern, int *field)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern < '0' || *pattern > '9') {
            if (text->len == 0 || text->at[0] != (uint8_t)*pattern)
                return false;
            *text = bytes_from(*text, 1);
            continue;
        }
        *field = 0;
        for (int left = *pattern - '0'; left > 0; left--) {
            int digit = take_digit(text);
            if (digit < 0)
                return false;
            *field = *field * 10 + digit;
        }
        field++;
    }
    return true;
}

/* Any number of digits behind a point; what is finer than a microsecond is dropped. */
static bool take_fraction(struct bytes *text, int *microsecond)
{
    int unit = 100000, digit = take_digit(text);
    bool any = digit >= 0;
    for (*microsecond = 0; digit >= 0; digit = take_digit(text), unit /= 10)
        *microsecond += unit * digit;
    return any;
}

/* Z, or an offset in minutes east of Greenwich. */
static bool take_zone(struct bytes *text, int *minutes)
{
    int offset[2] = {0, 0};
    *minutes = 0;
    if (take(text, "Z", NULL))
        return true;
    bool west = text->len > 0 && text->at[0] == '-';
    if (!take(text, west ? "-2:2" : "+2:2", offset) || offset[0] > 23 || offset[1] > 59)
        return false;
    *minutes = (west ? -1 : 1) * (offset[0] * 60 + offset[1]);
    return true;
}

static bool is_valid(const int *field)
{
    if (field[MONTH] < 1 || field[MONTH] > 12 || field[YEAR] < 1970)
        return false;
    /* A day that the month does not have comes back as another one. */
    int same[FIELDS];
    set_date(same, days_of(field));
    return same[DAY] == field[DAY] && same[MONTH] == field[MONTH] && field[HOUR] < 24 &&
           field[MINUTE] < 60 && field[SECOND] < 60;
}

bool clock_parse(struct bytes text, int64_t *wall_us)
{
    int field[FIELDS] = {0}, zone;
    if (!take(&text, text.len > 4 && text.at[4] == '-' ? EXTENDED : BASIC, field) ||
        (take(&text, ".", NULL) && !take_fraction(&text, &field[MICROSECOND])) ||
        !take_zone(&text, &zone) || text.len > 0 || !is_valid(field))
        return false;
    int64_t minutes = days_of(field) * 1440 + field[HOUR] * 60 + field[MINUTE] - zone;
    *wall_us = (minutes * 60 + field[SECOND]) * US_PER_S + field[MICROSECOND];
    return *wall_us >= 0;
}
