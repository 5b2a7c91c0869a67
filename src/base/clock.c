/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define US_PER_S INT64_C(1000000)

static int64_t now_us(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

int64_t clock_monotonic_ms(void)
{
    return now_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_monotonic_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return now_us(CLOCK_REALTIME);
}

/* A moment in UTC: its fields in the order in which they are written. */
enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, MICROSECOND, FIELDS };

/*
 * The date, in the proleptic Gregorian calendar, of a number of days since 1970-01-01: without the
 * time zone data that gmtime_r may read. Years count from March on.
 */
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

/* What lies outside the years 1970 to 9999 becomes their first or last microsecond. */
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
 * In a pattern a digit stands for the next field, written with that many digits, and all else for
 * itself. printf would take longer than everything else that an agent does with a small state.
 */
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
    put(out, "4-2-2T2:2:2.6", field);
}

void clock_format_basic(char out[CLOCK_BASIC_SIZE], int64_t wall_us)
{
    int field[FIELDS];
    set_fields(field, wall_us);
    put(out, "422T222Z", field);
}
