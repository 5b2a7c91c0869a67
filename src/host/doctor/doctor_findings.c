/* SPDX-License-Identifier: Apache-2.0 */
/* What the checks found, and how it is printed. */
#include <stdarg.h>
#include <stdio.h>

#include "codec/json_writer.h"
#include "host/doctor/doctor.h"
#include "host/report.h"

void doctor_add(struct doctor *doctor, const char *name, enum check_result result,
                const char *remedy, const char *cause, ...)
{
    if (doctor->count == CHECKS_MAX)
        return;
    struct check *check = &doctor->checks[doctor->count++];
    check->result = result;
    snprintf(check->name, sizeof check->name, "%s", name);
    snprintf(check->remedy, sizeof check->remedy, "%s", remedy != NULL ? remedy : "");
    va_list args;
    va_start(args, cause);
    if (vsnprintf(check->cause, sizeof check->cause, cause, args) < 0)
        check->cause[0] = '\0';
    va_end(args);
}

static const char *const result_names[] = {"ok", "warn", "fail"};
static const enum tone result_tones[] = {TONE_GOOD, TONE_WARNING, TONE_BAD};

static void put_table(const struct doctor *doctor, struct buffer *out)
{
    bool colour = report_colour();
    for (size_t i = 0; i < doctor->count; i++) {
        const struct check *check = &doctor->checks[i];
        char padded[8];
        snprintf(padded, sizeof padded, "%-5s", result_names[check->result]);
        append_toned(out, result_tones[check->result], padded, colour);
        buffer_printf(out, " %-12s ", check->name);
        append_escaped(out, bytes_text(check->cause));
        buffer_byte(out, '\n');
        if (check->remedy[0] == '\0')
            continue;
        buffer_text(out, "                   remedy: ");
        append_escaped(out, bytes_text(check->remedy));
        buffer_byte(out, '\n');
    }
}

static void put_json(const struct doctor *doctor, enum check_result worst, struct buffer *out)
{
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    json_text(&w, "status", worst == CHECK_FAIL ? "error" : "success");
    json_text(&w, "result", result_names[worst]);
    json_array(&w, "checks");
    for (size_t i = 0; i < doctor->count; i++) {
        const struct check *check = &doctor->checks[i];
        json_object(&w, NULL);
        json_text(&w, "check", check->name);
        json_text(&w, "result", result_names[check->result]);
        json_text(&w, "cause", check->cause);
        if (check->remedy[0] != '\0')
            json_text(&w, "remedy", check->remedy);
        json_end(&w);
    }
    json_end(&w);
    json_end(&w);
    buffer_byte(out, '\n');
}

int doctor_print(const struct doctor *doctor)
{
    enum check_result worst = CHECK_OK;
    for (size_t i = 0; i < doctor->count; i++)
        worst = doctor->checks[i].result > worst ? doctor->checks[i].result : worst;
    BUFFER_AUTO out;
    buffer_init(&out, 1u << 20);
    if (doctor->common.json)
        put_json(doctor, worst, &out);
    else
        put_table(doctor, &out);
    int printed = report_print(&doctor->common, buffer_bytes(&out));
    return printed != EXIT_OK ? printed : worst == CHECK_FAIL ? EXIT_REFUSED : EXIT_OK;
}
