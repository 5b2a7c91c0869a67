/* SPDX-License-Identifier: Apache-2.0 */
#include "host/image/image_common.h"

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
