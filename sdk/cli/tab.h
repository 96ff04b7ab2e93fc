/* Tab: completes the word at the cursor of a line that is being edited, or shows what it may
 * become. */
#ifndef NQ_SDK_CLI_TAB_H
#define NQ_SDK_CLI_TAB_H

#include <histedit.h>

#include "sdk/cli/names.h"
#include "sdk/cli/text.h"

/* What the key does. `pending` are the lines of the statement before this one. Returns libedit's
 * CC_ code. */
unsigned char nq_tab_press(EditLine *editor, const nq_text *pending, nq_names *names);

#endif
