/* Pager: the data file as verified pages.
 *
 * A page is asked for by its id and written under it; where it stands in the file is the pager's
 * business. Writing appends the page's image to a segment that is filled in memory; full segments
 * go to the file in one run, with parity, and are not written again until nothing leads to them. A
 * checkpoint makes all of it durable and the page map with it. A damaged image is restored from
 * parity when it is read, and its segment emptied by the next checkpoint. README.md states the
 * invariants; docs/adr/0007-log-structured-page-store.md the reasons.
 *
 * Threads: reading, writing and forgetting from any; one checkpoint, scrub, or verify at a time. No
 * lock is held while pages are read from the file; a writer waits for the file only when both
 * buffers are full. */
#ifndef NQ_STORAGE_PAGER_PAGER_H
#define NQ_STORAGE_PAGER_PAGER_H

#include "engine/ground/os/vfs.h"
#include "engine/storage/pager/space.h"
#include "engine/storage/pager/superblock.h"

typedef struct nq_pager nq_pager;

typedef struct nq_pager_options {
    nq_vfs *vfs;
    const char *path; /* of the data file; copied */
    /* Damage was found, from which the next checkpoint moves away. Called by whoever reads, with
     * locks held; may be NULL. */
    void (*on_damage)(void *user);
    void *user;
} nq_pager_options;

/* Makes an empty data file at the path, in place of what may be there, and syncs it; its name is
 * the caller's to make durable. */
nq_status nq_pager_create(nq_ctx *ctx, const nq_pager_options *options, nq_segment_layout layout,
                          const nq_pager_root *root);

/* Opens the file's newest checkpoint. Nothing is written to a file that is refused: NQ_FILE_FOREIGN
 * (not ours, of another format, cut off), NQ_PAGE_CORRUPT (beyond repair), NQ_IO_ERROR. */
nq_status nq_pager_open(nq_ctx *ctx, const nq_pager_options *options, nq_pager **out_pager,
                        nq_pager_root *out_root);

/* Lets go; what no checkpoint has made durable is lost. NULL is allowed. */
void nq_pager_close(nq_pager *pager);

/* A page as it is stored. */
typedef struct nq_pager_image {
    nq_image_codec codec;
    uint32_t bytes;
    uint8_t data[NQ_IMAGE_BYTES_MAX];
} nq_pager_image;

/* The page, checked: its image's checksum, its id, its stamp and that no field leads outside of it.
 * Fails with NQ_PAGE_CORRUPT when the map does not have it or parity cannot restore it,
 * NQ_IO_ERROR, NQ_MEMORY_LIMIT. */
nq_status nq_pager_read(nq_ctx *ctx, nq_pager *pager, nq_page_ref ref, nq_page *out_page);

enum { NQ_PAGER_AHEAD_MAX = 32 };

/* These pages, at most NQ_PAGER_AHEAD_MAX, will be read soon in this order: the system is told
 * where they are, unless they follow one another in the file, which it sees by itself. */
void nq_pager_read_ahead(nq_pager *pager, const nq_page_id *ids, uint32_t count);

/* Stores the page in place of what its id had; its bytes do not change during the call. Not durable
 * yet. On failure (NQ_DISK_FULL, NQ_IO_ERROR, NQ_MEMORY_LIMIT) the id has what it had. `out_image`
 * may be NULL. */
nq_status nq_pager_write(nq_ctx *ctx, nq_pager *pager, const nq_page *page,
                         nq_pager_image *out_image);

/* The id has been given back: nothing durable, and no checkpoint being written, leads to its page.
 * Nobody reads or writes it any more. An id that was never written is allowed. */
void nq_pager_forget(nq_pager *pager, nq_page_id id);

/* The id has a page. */
bool nq_pager_has(nq_pager *pager, nq_page_id id);

/* Gives every id to `space`, in which none is free, that has no page. */
void nq_pager_list_free(nq_pager *pager, nq_space *space);

typedef struct nq_pager_checkpoint_result {
    uint64_t segments_written;
    uint64_t pages_moved; /* collected, or taken out of damaged segments */
} nq_pager_checkpoint_result;

/* Everything written so far is in the file and durable, though nothing durable leads to it yet: the
 * checkpoint that follows has less to wait for. One at a time, as a checkpoint. */
nq_status nq_pager_sync(nq_ctx *ctx, nq_pager *pager);

/* There is damage to be moved away from, or much room to be won. */
bool nq_pager_wants_checkpoint(nq_pager *pager);

/* The next checkpoint is the last: it moves more together than others do, within the same bounds.
 */
void nq_pager_expect_close(nq_pager *pager);

/* Makes durable what `root` leads to: every page that `not_reached` does not name, all of which
 * have been written. What was written since for newer versions is no part of it. When it fails
 * before the superblock nothing durable has changed and it may be tried again; otherwise
 * nq_pager_health says so. */
nq_status nq_pager_checkpoint(nq_ctx *ctx, nq_pager *pager, const nq_pager_root *root,
                              const nq_space *not_reached, nq_pager_checkpoint_result *out_result);

/* Sees to it that so many pages can be written before the next checkpoint ends, however badly they
 * compress, and that checkpoint after them: the file is made longer, or NQ_DISK_FULL says that it
 * cannot be. A reserve is kept for who `may_use_reserve`: what is written to make room. */
nq_status nq_pager_promise(nq_ctx *ctx, nq_pager *pager, uint64_t page_count, bool may_use_reserve);

/* Only so many pages are left to be written of those promised room for. */
void nq_pager_expect(nq_pager *pager, uint64_t page_count);

/* Gives the space of free segments back to the file system: at the file's end by cutting them off,
 * within it by leaving holes. After a checkpoint, and after what it no longer reaches has been
 * forgotten. As many stay as the next checkpoint is likely to need: */
void nq_pager_trim(nq_pager *pager);
/* or none: there will be no next one. */
void nq_pager_trim_all(nq_pager *pager);

/* NQ_OK, or why no further checkpoint is possible: after a failed sync nobody knows what the disk
 * holds. Once set it stays. */
nq_status nq_pager_health(nq_pager *pager);

typedef struct nq_scrub_result {
    uint64_t segments_read;
    uint64_t segments_damaged; /* found so now; the next checkpoint empties them */
    uint64_t blocks_damaged;   /* of 4 KiB, in these */
    uint64_t rows_lost;        /* of up to 18 blocks, beyond what parity can restore */
    uint64_t superblocks_repaired;
} nq_scrub_result;

/* Reads the next segment in use from number *position on, all of it, and adds what it finds to
 * *result. *position is then behind it; 0 when it was the last, after which the superblocks were
 * looked at as well, and from which a pass begins. Fails with NQ_MEMORY_LIMIT, or when a superblock
 * cannot be written. */
nq_status nq_pager_scrub(nq_ctx *ctx, nq_pager *pager, uint32_t *position, nq_scrub_result *result);

/* Checks the accounts: every place inside the file, no two images at one place, the live bytes of
 * every segment those of the images that lead there. Fails with NQ_PAGE_CORRUPT. */
nq_status nq_pager_verify(nq_ctx *ctx, nq_pager *pager);

typedef struct nq_pager_stats {
    uint64_t file_bytes;
    uint64_t live_bytes;         /* of images that the map leads to */
    uint64_t segments_used;      /* hold such images */
    uint64_t segments_free;      /* may be written to, */
    uint64_t hole_bytes;         /* those that have no space of the disk until then */
    uint64_t segment_data_bytes; /* what one has room for */
    uint64_t images_read;
    uint64_t images_hinted;     /* told to the system before they were read */
    uint64_t flushed_bytes;     /* images of pages written, */
    uint64_t moved_bytes;       /* of pages moved, */
    uint64_t map_bytes;         /* and of the map */
    uint64_t written_bytes;     /* to the file, parity and headers included */
    uint64_t images_repaired;   /* restored from parity */
    uint64_t images_lost;       /* beyond repair; one read twice counts twice */
    uint64_t segments_damaged;  /* found to be, ever */
    uint64_t segments_scrubbed; /* read by nq_pager_scrub */
    uint64_t memory_bytes;      /* of the map and the buffers */
} nq_pager_stats;
void nq_pager_get_stats(nq_pager *pager, nq_pager_stats *out_stats);

/* What the map, the buffers and the compressors hold of the heap. */
uint64_t nq_pager_memory_bytes(nq_pager *pager);

/* ---- Pages as they are stored, for those who keep them elsewhere ---- */

/* What nq_pager_write would store. */
void nq_pager_pack(nq_pager *pager, const nq_page *page, nq_pager_image *out_image);

/* The page of an image that has stayed in memory. False: it is none. */
bool nq_pager_unpack(nq_pager *pager, const nq_pager_image *image, nq_page *out_page);

#endif
