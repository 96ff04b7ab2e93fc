/* The simulated disk's names: one flat table of whole paths in memory, one on the disk, and the
 * list of changes between them, oldest first.
 *
 * A sync of a directory takes its changes over to the disk, and before each the earlier ones of the
 * same names. A power cut takes a subset over that is closed the same way: once a change of a name
 * is lost, so are all later ones of that name. */
#include <string.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/sim_disk_internal.h"

/* ---- Paths ---- */

bool nq__sim_path_normalize(const char *path, char out_path[SIM_PATH_BYTES_MAX]) {
    size_t size = 0;
    bool is_absolute = path[0] == '/';
    while (*path != '\0') {
        size_t part = strcspn(path, "/");
        bool is_here = part == 1 && path[0] == '.';
        if (part > 0 && !is_here) {
            if (size + part + 2 > SIM_PATH_BYTES_MAX) {
                return false;
            }
            if (size > 0 || is_absolute) {
                out_path[size++] = '/';
            }
            memcpy(out_path + size, path, part);
            size += part;
        }
        path += part;
        path += *path == '/';
    }
    if (size == 0) {
        out_path[size++] = is_absolute ? '/' : '.';
    }
    out_path[size] = '\0';
    return true;
}

bool nq__sim_path_is_root(const char *path) {
    return strcmp(path, "/") == 0 || strcmp(path, ".") == 0;
}

const char *nq__sim_path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

bool nq__sim_path_is_in(const char *path, const char *directory) {
    if (nq__sim_path_is_root(path)) {
        return false;
    }
    size_t parent = (size_t)(nq__sim_path_base(path) - path); /* with its slash */
    if (strcmp(directory, ".") == 0) {
        return parent == 0;
    }
    if (strcmp(directory, "/") == 0) {
        return parent == 1;
    }
    size_t size = strlen(directory);
    return parent == size + 1 && memcmp(path, directory, size) == 0;
}

static char *copy_path(const char *path) {
    if (path == NULL) {
        return NULL;
    }
    char *copy = nq_heap_copy_text(path, strlen(path));
    NQ_ASSERT(copy != NULL);
    return copy;
}

/* ---- Tables ---- */

static nq__sim_name *find_name(const nq__sim_names *names, const char *path) {
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].path, path) == 0) {
            return &names->items[i];
        }
    }
    return NULL;
}

nq__sim_inode *nq__sim_names_find(const nq__sim_names *names, const char *path) {
    const nq__sim_name *name = find_name(names, path);
    return name == NULL ? NULL : name->inode;
}

static void remove_name(nq_sim_vfs *disk, nq__sim_names *names, const char *path) {
    nq__sim_name *name = find_name(names, path);
    if (name == NULL) {
        return;
    }
    nq_heap_free(name->path);
    nq__sim_inode_release(disk, name->inode);
    *name = names->items[--names->count];
}

static void add_name(nq_sim_vfs *disk, nq__sim_names *names, const char *path,
                     nq__sim_inode *inode) {
    NQ_ASSERT(inode != NULL);
    inode->references++;
    remove_name(disk, names, path);
    if (names->count == names->room) {
        names->room = names->room > 0 ? names->room * 2 : 16;
        names->items = nq_heap_realloc(names->items, names->room * sizeof(names->items[0]));
        NQ_ASSERT(names->items != NULL);
    }
    names->items[names->count++] = (nq__sim_name){copy_path(path), inode};
}

static void clear_names(nq_sim_vfs *disk, nq__sim_names *names) {
    while (names->count > 0) {
        remove_name(disk, names, names->items[names->count - 1].path);
    }
    nq_heap_free(names->items);
    *names = (nq__sim_names){0};
}

static void copy_names(nq_sim_vfs *disk, nq__sim_names *target, const nq__sim_names *source,
                       bool by_clone) {
    for (size_t i = 0; i < source->count; i++) {
        nq__sim_inode *inode = source->items[i].inode;
        add_name(disk, target, source->items[i].path, by_clone ? inode->clone : inode);
    }
}

static bool has_parent(const nq__sim_names *names, const char *path) {
    size_t parent = (size_t)(nq__sim_path_base(path) - path);
    if (parent <= 1) {
        return true;
    }
    char directory[SIM_PATH_BYTES_MAX];
    memcpy(directory, path, parent - 1);
    directory[parent - 1] = '\0';
    const nq__sim_inode *inode = nq__sim_names_find(names, directory);
    return inode != NULL && inode->is_dir;
}

bool nq__sim_names_has_parent(const nq_sim_vfs *disk, const char *path) {
    return has_parent(&disk->now, path);
}

/* ---- Changes ---- */

static void apply(nq_sim_vfs *disk, nq__sim_names *names, const nq__sim_change *change) {
    if (change->removed != NULL) {
        remove_name(disk, names, change->removed);
    }
    if (change->added != NULL) {
        add_name(disk, names, change->added, change->inode);
    }
}

static void forget_change(nq_sim_vfs *disk, nq__sim_change *change) {
    nq_heap_free(change->removed);
    nq_heap_free(change->added);
    nq__sim_inode_release(disk, change->inode);
}

void nq__sim_names_change(nq_sim_vfs *disk, const char *removed, const char *added,
                          nq__sim_inode *inode) {
    if (disk->change_count == disk->change_room) {
        disk->change_room = disk->change_room > 0 ? disk->change_room * 2 : 16;
        disk->changes =
            nq_heap_realloc(disk->changes, disk->change_room * sizeof(disk->changes[0]));
        NQ_ASSERT(disk->changes != NULL);
    }
    if (inode != NULL) {
        inode->references++;
    }
    nq__sim_change *change = &disk->changes[disk->change_count++];
    *change = (nq__sim_change){copy_path(removed), copy_path(added), inode};
    apply(disk, &disk->now, change);
}

static bool is_named(const nq__sim_change *change, const char *path) {
    return path != NULL && ((change->removed != NULL && strcmp(change->removed, path) == 0) ||
                            (change->added != NULL && strcmp(change->added, path) == 0));
}

static bool share_a_name(const nq__sim_change *left, const nq__sim_change *right) {
    return is_named(left, right->removed) || is_named(left, right->added);
}

static bool is_in_directory(const nq__sim_change *change, const char *directory) {
    return (change->removed != NULL && nq__sim_path_is_in(change->removed, directory)) ||
           (change->added != NULL && nq__sim_path_is_in(change->added, directory));
}

/* Takes the changes marked true over to the disk; keeps, or drops, the others. */
static void take_over(nq_sim_vfs *disk, const bool *is_taken, bool drops_others) {
    size_t kept = 0;
    for (size_t i = 0; i < disk->change_count; i++) {
        nq__sim_change *change = &disk->changes[i];
        if (is_taken[i]) {
            apply(disk, &disk->durable, change);
            forget_change(disk, change);
        } else if (drops_others) {
            disk->stats.names_dropped++;
            forget_change(disk, change);
        } else {
            disk->changes[kept++] = *change;
        }
    }
    disk->change_count = kept;
}

void nq__sim_names_sync(nq_sim_vfs *disk, const char *directory) {
    size_t count = disk->change_count;
    if (count == 0) {
        return;
    }
    bool *is_taken = nq__sim_alloc(count * sizeof(is_taken[0]));
    for (size_t i = count; i-- > 0;) {
        is_taken[i] = is_in_directory(&disk->changes[i], directory);
        for (size_t later = i + 1; later < count && !is_taken[i]; later++) {
            is_taken[i] = is_taken[later] && share_a_name(&disk->changes[i], &disk->changes[later]);
        }
    }
    take_over(disk, is_taken, false);
    nq_heap_free(is_taken);
}

/* A name whose directory is gone is gone with it. */
static void drop_orphans(nq_sim_vfs *disk) {
    for (size_t i = 0; i < disk->durable.count;) {
        const char *path = disk->durable.items[i].path;
        if (has_parent(&disk->durable, path)) {
            i++;
            continue;
        }
        remove_name(disk, &disk->durable, path);
        i = 0;
    }
}

void nq__sim_names_settle(nq_sim_vfs *disk) {
    static const uint32_t PERCENTS[] = {0, 100, 50, 80};
    uint64_t keep_percent = PERCENTS[nq_rng_below(&disk->rng, 4)];
    size_t count = disk->change_count;
    bool *is_taken = nq__sim_alloc((count + 1) * sizeof(is_taken[0]));
    for (size_t i = 0; i < count; i++) {
        is_taken[i] = nq_rng_below(&disk->rng, 100) < keep_percent;
        for (size_t earlier = 0; earlier < i && is_taken[i]; earlier++) {
            is_taken[i] =
                is_taken[earlier] || !share_a_name(&disk->changes[i], &disk->changes[earlier]);
        }
    }
    take_over(disk, is_taken, true);
    nq_heap_free(is_taken);
    drop_orphans(disk);
    clear_names(disk, &disk->now);
    copy_names(disk, &disk->now, &disk->durable, false);
}

void nq__sim_names_clone(nq_sim_vfs *copy, const nq_sim_vfs *disk) {
    copy_names(copy, &copy->now, &disk->now, true);
    copy_names(copy, &copy->durable, &disk->durable, true);
    if (disk->change_count == 0) {
        return;
    }
    copy->change_room = disk->change_count;
    copy->change_count = disk->change_count;
    copy->changes = nq__sim_alloc(disk->change_count * sizeof(copy->changes[0]));
    for (size_t i = 0; i < disk->change_count; i++) {
        const nq__sim_change *change = &disk->changes[i];
        nq__sim_inode *inode = change->inode == NULL ? NULL : change->inode->clone;
        if (inode != NULL) {
            inode->references++;
        }
        copy->changes[i] =
            (nq__sim_change){copy_path(change->removed), copy_path(change->added), inode};
    }
}

void nq__sim_names_clear(nq_sim_vfs *disk) {
    clear_names(disk, &disk->now);
    clear_names(disk, &disk->durable);
    for (size_t i = 0; i < disk->change_count; i++) {
        forget_change(disk, &disk->changes[i]);
    }
    nq_heap_free(disk->changes);
    disk->changes = NULL;
    disk->change_count = 0;
}
