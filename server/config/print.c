/* What people read about the settings, made from the table. */
#include "server/config/config.h"

enum { HELP_WIDTH = 92 };

static const char *const source_names[] = {"default", "file", "environment", "flag"};

/* `text` in lines of at most HELP_WIDTH characters, each begun with `prefix`. */
static void print_wrapped(FILE *file, const char *prefix, const char *text) {
    size_t room = HELP_WIDTH - strlen(prefix);
    while (*text != '\0') {
        size_t line_bytes = strlen(text);
        if (line_bytes > room) {
            line_bytes = room;
            while (line_bytes > 0 && text[line_bytes] != ' ') {
                line_bytes--;
            }
        }
        fprintf(file, "%s%.*s\n", prefix, (int)line_bytes, text);
        text += line_bytes + (text[line_bytes] == ' ');
    }
}

static void print_range(FILE *file, const nq_setting *setting) {
    if (setting->kind == NQ_SETTING_CHOICE) {
        fprintf(file, "%s", setting->maximum);
    } else if (setting->kind == NQ_SETTING_BOOL) {
        fprintf(file, "true|false");
    } else if (setting->maximum[0] != '\0') {
        fprintf(file, "%s .. %s", setting->minimum, setting->maximum);
    } else {
        fprintf(file, setting->kind == NQ_SETTING_ADDRESS ? "host:port" : "any text");
    }
}

void nq_config_print_defaults(FILE *file) {
    nq_bytes group = {0};
    fprintf(file, "# Every setting of neuroquantumd with its default.\n");
    for (size_t i = 0; i < NQ_SETTING_TOTAL; i++) {
        const nq_setting *setting = &nq_settings[i];
        const char *dot = strchr(setting->key, '.');
        const char *indent = dot == NULL ? "" : "  ";
        nq_bytes own = nq_bytes_of(setting->key, dot == NULL ? 0 : (size_t)(dot - setting->key));
        if (dot == NULL || !nq_bytes_equal(group, own)) {
            fprintf(file, "\n");
        }
        if (dot != NULL && !nq_bytes_equal(group, own)) {
            fprintf(file, "%.*s:\n", NQ_BYTES_FORMAT(own));
        }
        group = own;
        print_wrapped(file, dot == NULL ? "# " : "  # ", setting->help);
        fprintf(file, "%s# Range: ", indent);
        print_range(file, setting);
        bool is_quoted = setting->kind == NQ_SETTING_TEXT || setting->kind == NQ_SETTING_ADDRESS;
        fprintf(file, "\n%s%s: %s%s%s\n", indent, dot == NULL ? setting->key : dot + 1,
                is_quoted ? "\"" : "", setting->default_text, is_quoted ? "\"" : "");
    }
}

void nq_config_print_help(FILE *file) {
    fprintf(file,
            "Usage: neuroquantumd [--config FILE] [--SETTING VALUE]...\n\n"
            "Serves one database directory over gRPC.\n\n"
            "  --config FILE              read settings from a YAML file (or NEUROQUANTUM_CONFIG)\n"
            "  --check-config             read everything, print what would be in force, and exit\n"
            "  --upgrade                  bring an older data directory to this format, and exit\n"
            "  --restore                  make a data directory from a base copy and the log's "
            "archive\n"
            "                             (the settings restore.*), and exit\n"
            "  --print-default-config     print a file with every default, and exit\n"
            "  --print-config-reference   print docs/reference/config.md, and exit\n"
            "  --version                  print the version, and exit\n"
            "  --help                     print this, and exit\n\n"
            "A flag overrides the environment, that the file, that the default.\n");
    for (size_t i = 0; i < NQ_SETTING_TOTAL; i++) {
        char flag[64], variable[64];
        nq_setting_flag(&nq_settings[i], flag);
        nq_setting_variable(&nq_settings[i], variable);
        fprintf(file, "\n  %s  [%s]  (", flag,
                nq_settings[i].default_text[0] == '\0' ? "none" : nq_settings[i].default_text);
        print_range(file, &nq_settings[i]);
        fprintf(file, ")\n");
        print_wrapped(file, "      ", nq_settings[i].help);
        fprintf(file, "      %s\n", variable);
    }
    fprintf(file,
            "\nExit codes: 0 done, 1 failed while running, 2 the configuration is wrong,\n"
            "3 the data directory is locked, foreign or damaged, 4 the address cannot be used.\n");
}

void nq_config_print_reference(FILE *file) {
    fprintf(file, "# Configuration\n\n"
                  "Made from `server/config/config.def` by `neuroquantumd "
                  "--print-config-reference`; do not edit.\n\n"
                  "A flag overrides the environment, that the file (`--config`), that the default. "
                  "Sizes take\n"
                  "`B`, `KiB`, `MiB`, `GiB`, `TiB`; durations `us`, `ms`, `s`, `min`, `h`, `d`. An "
                  "unknown name is\n"
                  "an error. Every setting takes effect at the next start.\n\n"
                  "| key | default | range | flag | variable |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < NQ_SETTING_TOTAL; i++) {
        const nq_setting *setting = &nq_settings[i];
        char flag[64], variable[64];
        nq_setting_flag(setting, flag);
        nq_setting_variable(setting, variable);
        fprintf(file, "| `%s` | %s%s%s | ", setting->key,
                setting->default_text[0] == '\0' ? "" : "`",
                setting->default_text[0] == '\0' ? "none" : setting->default_text,
                setting->default_text[0] == '\0' ? "" : "`");
        if (setting->kind == NQ_SETTING_CHOICE) {
            /* A bar ends a table cell. */
            for (const char *at = setting->maximum; *at != '\0'; at++) {
                fputs(*at == '|' ? ", " : (char[]){*at, '\0'}, file);
            }
        } else if (setting->kind == NQ_SETTING_BOOL) {
            fprintf(file, "true, false");
        } else {
            print_range(file, setting);
        }
        fprintf(file, " | `%s` | `%s` |\n", flag, variable);
    }
    for (size_t i = 0; i < NQ_SETTING_TOTAL; i++) {
        fprintf(file, "\n**%s** — %s\n", nq_settings[i].key, nq_settings[i].help);
    }
}

void nq_config_print_effective(const nq_config *config, FILE *file) {
    for (size_t i = 0; i < NQ_SETTING_TOTAL; i++) {
        char value[NQ_SETTING_VALUE_BYTES];
        nq_setting_print(config, &nq_settings[i], value);
        fprintf(file, "%-34s %-24s %s\n", nq_settings[i].key, value[0] == '\0' ? "\"\"" : value,
                source_names[config->sources[i]]);
    }
}
