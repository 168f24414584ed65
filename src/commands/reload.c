#include "commands/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/memory.h"
#include "kafka/sink_transactional.h"

enum { SHOWN_BYTES = 256 };

static const char *const live[OF_RELOAD_LIVE] = {
    "log-level", "log-format", "failure-rate", "retry-delay-ms", "commit-interval-ms",
};

void
of_reload_init(struct of_reload *reload, const struct of_command_line *line)
{
    *reload = (struct of_reload) { .line = line, .commit_interval_ms = line->settings.commit_interval_ms };
}

void
of_reload_fini(struct of_reload *reload)
{
    for (size_t i = 0; i < OF_RELOAD_LIVE; i++) {
        free(reload->in_force[i]);
        reload->in_force[i] = NULL;
    }
}

/* ---- what is another value now ---- */

/* OF_RELOAD_LIVE: it cannot change. */
static size_t
live_index(const char *name)
{
    size_t i = 0;
    while (i < OF_RELOAD_LIVE && strcmp(live[i], name) != 0)
        i++;
    return i;
}

static bool
interval_fits(const struct of_reload *reload, int64_t interval_ms)
{
    const struct of_settings *begun = &reload->line->settings;
    return begun->guarantee != OF_GUARANTEE_EXACTLY_ONCE || interval_ms <= OF_TRANSACTION_MS
           || interval_ms <= begun->commit_interval_ms;
}

/* Why it cannot change without a restart; NULL: it can. */
static const char *
obstacle(const struct of_reload *reload, const struct of_settings *fresh, const char *name)
{
    if (live_index(name) == OF_RELOAD_LIVE)
        return "it takes a restart";
    if (strcmp(name, "commit-interval-ms") == 0 && !interval_fits(reload, fresh->commit_interval_ms))
        return "it is longer than transactions of this run may be: it takes a restart";
    return NULL;
}

static bool
same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
shown(const struct of_option *option, const char *text, char out[SHOWN_BYTES])
{
    char plain[SHOWN_BYTES];
    snprintf(out, SHOWN_BYTES, "%s", text != NULL ? of_option_shown(option, text, plain, sizeof plain) : "none");
}

/* Returns whether it is one more value that is taken over. What the run was begun with is what counts for the rest, so
 * that it is named again as long as the two differ. */
static bool
compare(struct of_reload *reload, const struct of_command_line *fresh, size_t index)
{
    const struct of_option *option = &of_settings_table.options[index];
    const char *why = obstacle(reload, &fresh->settings, option->name);
    size_t at = live_index(option->name);
    const char *was = at < OF_RELOAD_LIVE && reload->in_force[at] != NULL
                          ? reload->in_force[at] : of_options_text(&reload->line->options, index);
    const char *is = of_options_text(&fresh->options, index);
    char was_shown[SHOWN_BYTES], is_shown[SHOWN_BYTES];
    if (same(was, is))
        return false;
    shown(option, was, was_shown);
    shown(option, is, is_shown);
    if (why != NULL) {
        of_log_warning("options", "%s stays %s: %s to become %s", option->name, was_shown, why, is_shown);
        return false;
    }
    of_log_info("options", "%s is now %s, was %s", option->name, is_shown, was_shown);
    char *text = of_strdup(is);
    free(reload->in_force[at]);
    reload->in_force[at] = text;
    return true;
}

static bool
same_properties(const struct of_options *a, const struct of_options *b)
{
    if (a->property_count != b->property_count)
        return false;
    for (size_t i = 0; i < a->property_count; i++)
        if (strcmp(a->properties[i].name, b->properties[i].name) != 0
            || strcmp(a->properties[i].value, b->properties[i].value) != 0)
            return false;
    return true;
}

static int
compare_all(struct of_reload *reload, const struct of_command_line *fresh)
{
    int changed = 0;
    for (size_t i = 0; i < of_settings_table.count; i++)
        if (of_settings_table.options[i].commands >> fresh->command & 1)
            changed += compare(reload, fresh, i);
    if (!same_properties(&reload->line->options, &fresh->options))
        of_log_warning("options", "properties of librdkafka stay as they were at the start: they take a restart");
    return changed;
}

static void
apply(struct of_reload *reload, const struct of_settings *fresh, struct of_pipeline *pipeline,
      _Atomic int64_t *retry_delay_ms)
{
    if (interval_fits(reload, fresh->commit_interval_ms))
        reload->commit_interval_ms = fresh->commit_interval_ms;
    of_log_set_levels(fresh->log_level);
    of_log_set_format((enum of_log_format)fresh->log_format);
    atomic_store_explicit(retry_delay_ms, fresh->retry_delay_ms, memory_order_relaxed);
    of_pipeline_tune(pipeline, reload->commit_interval_ms, fresh->retry_delay_ms, fresh->failure_rate);
}

int
of_reload_now(struct of_reload *reload, struct of_pipeline *pipeline, _Atomic int64_t *retry_delay_ms)
{
    struct of_command_line fresh;
    struct of_error err;
    if (reload->line->settings.config == NULL) {
        of_log_warning("options", "there is no configuration file to read again: name one with --config");
        return 0;
    }
    int changed = -1;
    if (of_settings_read(&fresh, reload->line->command, (const char *const *)reload->line->arguments,
                         (const char *const *)environ, &err) == OF_OK) {
        changed = compare_all(reload, &fresh);
        of_log_info("options", "%s read again: %d change%s taken over", reload->line->settings.config, changed,
                    changed == 1 ? "" : "s");
        apply(reload, &fresh.settings, pipeline, retry_delay_ms);
    } else {
        of_log_error("options", "the configuration is wrong, and nothing of it is taken over: %s", err.text);
    }
    of_settings_fini(&fresh);
    return changed;
}
