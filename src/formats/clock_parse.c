/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/clock_parse.h"

#define EXTENDED "4-2-2T2:2:2"
#define BASIC    "422T222"

/* A moment in UTC: its fields in the order in which they are written. */
enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, MICROSECOND, FIELDS };

/*
 * Days since 1970-01-01 of a date of the proleptic Gregorian calendar, without the time zone data
 * that timegm may read. Years count from March on.
 */
static int64_t days_of(const int *field)
{
    int64_t year = field[MONTH] <= 2 ? field[YEAR] - 1 : field[YEAR];
    int64_t era = year / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (field[MONTH] + (field[MONTH] > 2 ? -3 : 9)) + 2) / 5 + field[DAY] - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Takes a digit off the front of text; -1 if there is none. */
static int take_digit(struct bytes *text)
{
    if (text->len == 0 || text->at[0] < '0' || text->at[0] > '9')
        return -1;
    int digit = text->at[0] - '0';
    *text = bytes_from(*text, 1);
    return digit;
}

/*
 * Takes what the pattern describes off the front of text: a digit is the next field, written
 * with that many digits, all else for itself.
 */
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

/* Any number of digits after a point; what is finer than a microsecond is dropped. */
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

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool is_valid(const int *field)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (field[MONTH] < 1 || field[MONTH] > 12 || field[YEAR] < 1970)
        return false;
    int last = field[MONTH] == 2 && is_leap(field[YEAR]) ? 29 : days[field[MONTH] - 1];
    return field[DAY] >= 1 && field[DAY] <= last && field[HOUR] < 24 && field[MINUTE] < 60 &&
           field[SECOND] < 60;
}

bool clock_parse(struct bytes text, int64_t *wall_us)
{
    int field[FIELDS] = {0}, zone;
    if (!take(&text, text.len > 4 && text.at[4] == '-' ? EXTENDED : BASIC, field) ||
        (take(&text, ".", NULL) && !take_fraction(&text, &field[MICROSECOND])) ||
        !take_zone(&text, &zone) || text.len > 0 || !is_valid(field))
        return false;
    int64_t minutes = days_of(field) * 1440 + field[HOUR] * 60 + field[MINUTE] - zone;
    *wall_us = (minutes * 60 + field[SECOND]) * 1000000 + field[MICROSECOND];
    return *wall_us >= 0;
}
