/* Lock rank: the one order in which locks are taken. A thread that holds a lock may only take one
 * of a higher rank; debug builds assert it. Two locks of one rank are never held together. */
#ifndef NQ_GROUND_OS_LOCK_RANK_H
#define NQ_GROUND_OS_LOCK_RANK_H

typedef enum nq_lock_rank {
    NQ_LOCK_NONE = 0,
    NQ_LOCK_SERVICE_ALARM,     /* the alarm clock; calls are woken under it */
    NQ_LOCK_RPC_SERVER,        /* a server's state: starting, draining, stopped */
    NQ_LOCK_RPC_QUEUE,         /* one queue's lists of calls */
    NQ_LOCK_RPC_CONNECTIONS,   /* the table of connections */
    NQ_LOCK_RPC_HEALTH,        /* who watches which service's health */
    NQ_LOCK_RPC_CALL,          /* one call's strand */
    NQ_LOCK_SERVICE_REGISTRY,  /* transactions, prepared statements and queries by id */
    NQ_LOCK_SERVICE_ENTRY,     /* one of them */
    NQ_LOCK_STREAM_REGISTRY,   /* query streams by id */
    NQ_LOCK_STREAM,            /* one query stream */
    NQ_LOCK_PUBSUB_HUB,        /* channels and the subscriber trie */
    NQ_LOCK_PUBSUB_CHANNEL,    /* one channel: sequence and history */
    NQ_LOCK_PUBSUB_SUBSCRIBER, /* one subscriber's ring */
    NQ_LOCK_PUBSUB_ROOM,       /* where publishers wait for room */
    NQ_LOCK_DATABASE,          /* the engine's front door: plan cache, counters of handles */
    NQ_LOCK_CATALOG,           /* the current catalog version */
    NQ_LOCK_SEQUENCE,          /* the next row id or identity value of one table */
    NQ_LOCK_STORE_CHECKPOINT,  /* one checkpoint at a time */
    NQ_LOCK_STORE_COMMIT,      /* commits take turns applying their writes */
    NQ_LOCK_STORE_READ_AHEAD,  /* which leaves recovery has read */
    NQ_LOCK_STORE_BACKLOG,     /* whether recovery has ended, and who reads through it */
    NQ_LOCK_STORE_WAITS,       /* which transaction waits for whom */
    NQ_LOCK_STORE_TREES,       /* the table of tree locks */
    NQ_LOCK_STORE_WRITES,      /* a transaction's write set, from those who enter its row locks */
    NQ_LOCK_STORE_ROWS,        /* the table of row locks; one stripe */
    NQ_LOCK_STORE_SNAPSHOTS,   /* published roots and who reads them */
    NQ_LOCK_STORE_SPACE,       /* free pages */
    NQ_LOCK_LOG_ARCHIVE,       /* the turn of archiving log segments; held during I/O */
    NQ_LOCK_LOG_PEN,           /* the turn of writing to the log; held during I/O */
    NQ_LOCK_LOG_MIRROR,        /* the turn of writing to one of two logs; held during I/O */
    NQ_LOCK_LOG_MAKER,         /* the turn of making or renaming a log segment; held during I/O */
    NQ_LOCK_LOG,               /* the log's buffers and their leader */
    NQ_LOCK_LOG_SEGMENTS,      /* the log's list of segment files */
    NQ_LOCK_POOL,              /* the page table; one stripe */
    NQ_LOCK_POOL_LOAD,         /* the end of a page's reading */
    NQ_LOCK_POOL_SHELF,        /* compressed pages, and how the budget is shared */
    NQ_LOCK_POOL_FREE,         /* frames without a page */
    NQ_LOCK_POOL_ORDER,        /* which page goes next */
    NQ_LOCK_PAGER_REPAIR,      /* the segment being repaired; held during I/O */
    NQ_LOCK_PAGER,             /* the page map, the segments and the buffers */
    NQ_LOCK_STORE_HEALTH,      /* why the store turned read-only */
    NQ_LOCK_STORE_KEEPER,      /* what the store's background threads were asked for */
    NQ_LOCK_WORKER_POOL,       /* the queue of tasks */
    NQ_LOCK_SIMULATION,        /* the simulated disk */
    NQ_LOCK_LOGGER,            /* one line at a time */
    NQ_LOCK_RANK_COUNT,
} nq_lock_rank;

#endif
