/* Version: what this build is. */
#ifndef NQ_SERVER_OBSERVE_VERSION_H
#define NQ_SERVER_OBSERVE_VERSION_H

/* "0.1.0" */
const char *nq_version(void);
/* "gcc 12.2.0, optimized" */
const char *nq_build(void);
/* "linux/amd64" */
const char *nq_platform(void);

#endif
