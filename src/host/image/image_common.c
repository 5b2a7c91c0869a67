/* SPDX-License-Identifier: Apache-2.0 */
#include "host/image/image_common.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "formats/clock_parse.h"
#include "system/signals.h"

static const int ends[] = {SIGINT, SIGTERM, SIGHUP, 0};

int image_hold_signals(struct error *err)
{
    return signals_open(ends, err);
}

void image_release_signals(int stop_fd)
{
    if (stop_fd >= 0)
        signals_close(stop_fd, ends);
}

bool image_check_stream(const struct common *common, const char *output, const char *other,
                        struct error *err)
{
    bool is_stream = output != NULL && strcmp(output, "-") == 0;
    bool taken = common->json || (other != NULL && strcmp(other, "-") == 0);
    return !is_stream || !taken ||
           error_set(err, ERROR_USAGE,
                     "--output - writes the image to standard output: nothing else can be printed "
                     "there");
}

bool image_read_date(const char *text, int64_t *seconds, struct error *err)
{
    char whole[64];
    int64_t wall_us = clock_wall_us();
    if (text != NULL) {
        bool day = strlen(text) == strlen("2026-12-31");
        snprintf(whole, sizeof whole, "%s%s", text, day ? "T00:00:00Z" : "");
        if (strlen(text) >= sizeof whole - 10 || !clock_parse(bytes_text(whole), &wall_us))
            return error_set(err, ERROR_USAGE,
                             "--at takes a date, 2026-12-31 or 2026-12-31T23:59:59Z");
    }
    *seconds = wall_us / 1000000;
    return true;
}

bool image_date(char out[IMAGE_DATE_SIZE], int64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm tm;
    return gmtime_r(&when, &tm) != NULL &&
           strftime(out, IMAGE_DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0;
}

void image_measurements(struct buffer *out, const struct eif_measurements *measurements)
{
    buffer_init(out, IMAGE_TEXT_MAX);
    buffer_text(out, "{\"Measurements\": ");
    eif_measurements_json(measurements, out);
    buffer_text(out, "}\n");
}

int image_print_measurements(const struct common *common,
                             const struct eif_measurements *measurements)
{
    BUFFER_AUTO out;
    BUFFER_AUTO answer;
    image_measurements(&out, measurements);
    buffer_init(&answer, IMAGE_TEXT_MAX);
    if (common->json && out.len > 0) {
        buffer_text(&answer, "{\"status\": \"success\", ");
        buffer_append(&answer, bytes_from(buffer_bytes(&out), 1));
        return report_print(common, buffer_bytes(&answer));
    }
    return report_print(common, buffer_bytes(&out));
}
