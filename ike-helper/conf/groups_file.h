/* groups_file.h - the folder of policy groups, policy-dir in oe.conf: one file for each group (base/groups.h). */
#ifndef OE_CONF_GROUPS_FILE_H
#define OE_CONF_GROUPS_FILE_H

#include "base/groups.h"
#include "conf/conf.h"

/* Read all files of the folder. What does not exist has no entries; files whose name has a dot in it or ends in '~' are passed over, and
 * any other that is no group is an error, since somebody meant something by it. IKE_E_CONFIG: tell the user *error, which names file,
 * line, and what is allowed; *out has no entries. */
IKE_CHECKED enum ike_err groups_read(const char *folder, struct groups *out, char error[CONF_ERROR_MAX]);

#endif
