/* SPDX-License-Identifier: Apache-2.0
 * Tree to tar. Headers and file contents are gathered in large buffers, contents read straight into
 * them; another thread takes the full ones to the sink, so that the next files are looked at and
 * read while those before are hashed and compressed. */
#include "layer/layer_write.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/sink_beside.h"
#include "base/strv.h"
#include "layer/layer.h"
#include "layer/layer_stack.h"
#include "layer/layer_tar.h"
#include "layer/layer_walk.h"
#include "layer/layer_xattr.h"

enum { READ_AHEAD_FROM = 1 << 20 }; /* bytes of a file: less is read at once */

struct writer {
	struct sink_beside out;
	struct layer_proof *proof; /* takes it all in place of out; NULL: nothing is to be proved */
	const struct layer_writing *how;
	uint64_t skip; /* entries at the beginning that are left out */
	const struct strv *implied;
	void *links; /* tsearch(3) tree of struct link: files with more than one name */
	uint64_t entries;
	struct varve_error *err;
};

/* The first name of an inode. */
struct link {
	dev_t dev;
	ino_t ino;
	char *path;
};

static int compare_links(const void *a, const void *b)
{
	const struct link *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void free_link(void *link)
{
	free(((struct link *)link)->path);
	free(link);
}

static void writer_release(struct writer *w)
{
	tdestroy(w->links, free_link);
	sink_beside_release(&w->out);
}

static int put(struct writer *w, const void *data, size_t len)
{
	if (w->proof)
		layer_proof_between(w->proof, data, len);
	return w->proof ? 0 : sink_write(&w->out.sink, data, len);
}

static int put_padding(struct writer *w, uint64_t size)
{
	static const char zeros[TAR_BLOCK];

	return put(w, zeros, tar_padding(size));
}

static int put_zeros(struct writer *w, uint64_t len)
{
	while (len > 0) {
		size_t n;
		void *room = sink_beside_room(&w->out, &n);
		int r;

		if (!room)
			return w->out.sink.error;
		n = len < n ? (size_t)len : n;
		memset(room, 0, n);
		len -= n;
		r = sink_beside_put(&w->out, n);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_header(struct writer *w, const struct tar_entry *e)
{
	CLEANUP(buf_release) struct buf header = BUF_INIT;

	if (w->entries++ < w->skip)
		return 0;
	tar_header(e, &header);
	return put(w, header.data, header.len);
}

static int changed(struct writer *w, const char *path)
{
	return varve_error_set(w->err, -ESTALE, "%s changed while it was read", path);
}

/* Exactly len bytes from the file's offset on. */
static int put_data(struct writer *w, int fd, uint64_t len, const char *path)
{
	while (len > 0) {
		size_t space;
		void *room = sink_beside_room(&w->out, &space);
		ssize_t n;
		int r;

		if (!room)
			return w->out.sink.error;
		n = read(fd, room, len < space ? (size_t)len : space);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return varve_error_set(w->err, -errno, "read %s", path);
		if (n == 0)
			return changed(w, path);
		len -= (uint64_t)n;
		r = sink_beside_put(&w->out, (size_t)n);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A file with holes: they are zeros in the tar, and need not be read. */
static int put_sparse(struct writer *w, int fd, uint64_t size, const char *path)
{
	uint64_t at = 0;

	while (at < size) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole;
		int r;

		if (data < 0 && errno != ENXIO)
			return varve_error_set(w->err, -errno, "seek in %s", path);
		if (data < 0 || (uint64_t)data > size)
			data = (off_t)size;
		r = put_zeros(w, (uint64_t)data - at);
		if (r < 0)
			return r;
		at = (uint64_t)data;
		if (at == size)
			break;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 || (uint64_t)hole > size)
			hole = (off_t)size;
		if (lseek(fd, data, SEEK_SET) < 0)
			return varve_error_set(w->err, -errno, "seek in %s", path);
		r = put_data(w, fd, (uint64_t)(hole - data), path);
		if (r < 0)
			return r;
		at = (uint64_t)hole;
	}
	return 0;
}

static void tell(struct writer *w, const struct walk_entry *e)
{
	const struct layer_vouch *vouch = w->how->vouch;
	struct varve_digest digest;

	if (vouch && vouch->digest(vouch->cookie, e, &digest))
		layer_vouched_tell(w->how->told, w->entries, &digest);
}

static int write_content(struct writer *w, const struct walk_entry *e, int fd, uint64_t size)
{
	struct stat st;
	int r;

	if ((uint64_t)e->st.st_blocks * 512 < size)
		r = put_sparse(w, fd, size, e->path);
	else
		r = put_data(w, fd, size, e->path);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size != size)
		return changed(w, e->path);
	return 0;
}

static int read_xattrs(struct writer *w, const char *path, int fd, struct layer_xattrs *ret)
{
	int r = layer_xattrs_read(fd, LAYER_XATTR_TREE, ret);

	if (r < 0)
		return varve_error_set(w->err, r, "read extended attributes of %s", path);
	return 0;
}

static struct tar_entry entry_of(const struct walk_entry *e, enum tar_type type)
{
	return (struct tar_entry){
		.type = type,
		.path = e->path,
		.mode = e->st.st_mode & 07777,
		.uid = e->st.st_uid,
		.gid = e->st.st_gid,
		.mtime = e->st.st_mtim.tv_sec,
	};
}

/* What the walk has opened, or could not tell from its directory to be a file. */
static int open_file(struct writer *w, const struct walk_entry *e, int *ret_own)
{
	if (e->fd >= 0)
		return e->fd;
	*ret_own = openat(e->dirfd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return *ret_own < 0 ? varve_error_set(w->err, -errno, "open %s", e->path) : *ret_own;
}

static int write_file(struct writer *w, const struct walk_entry *e)
{
	CLEANUP(layer_xattrs_release) struct layer_xattrs xattrs = LAYER_XATTRS_INIT;
	CLEANUP(fd_close) int own = -1;
	struct tar_entry t = entry_of(e, TAR_FILE);
	int fd, r;

	t.size = (uint64_t)e->st.st_size;
	if (w->entries < w->skip)
		return ++w->entries == w->skip ? put_padding(w, t.size) : 0;
	fd = open_file(w, e, &own);
	if (fd < 0)
		return fd;
	if (e->st.st_size >= READ_AHEAD_FROM && !w->proof)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	r = read_xattrs(w, e->path, fd, &xattrs);
	if (r < 0)
		return r;
	t.xattrs = &xattrs;
	r = put_header(w, &t);
	if (r == 0 && !w->proof)
		tell(w, e);
	if (r == 0)
		r = w->proof ? layer_proof_file(w->proof, e, t.size)
			     : write_content(w, e, fd, t.size);
	return r == 0 ? put_padding(w, t.size) : r;
}

/* The path that carries the content when it came before, or NULL: then this one does. */
static const char *first_name(struct writer *w, const struct walk_entry *e)
{
	struct link wanted = {.dev = e->st.st_dev, .ino = e->st.st_ino}, *made;
	struct link *const *found;

	found = tfind(&wanted, &w->links, compare_links);
	if (found)
		return (*found)->path;
	made = xcalloc(1, sizeof(*made));
	*made = wanted;
	made->path = xstrdup(e->path);
	if (!tsearch(made, &w->links, compare_links))
		abort();
	return NULL;
}

static int write_symlink(struct writer *w, const struct walk_entry *e)
{
	char target[LAYER_PATH_MAX];
	struct tar_entry t = entry_of(e, TAR_SYMLINK);
	ssize_t n = readlinkat(e->dirfd, e->name, target, sizeof(target) - 1);

	if (n < 0)
		return varve_error_set(w->err, -errno, "read link %s", e->path);
	target[n] = '\0';
	t.link = target;
	return put_header(w, &t);
}

/* An empty file of fixed attributes, named PREFIX + NAME in the directory of path. */
static int write_mark(struct writer *w, const char *directory, size_t len, const char *name)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT;
	struct tar_entry t = {.type = TAR_FILE};

	buf_add(&path, directory, len);
	buf_addf(&path, "%s.wh.%s", len > 0 ? "/" : "", name);
	t.path = path.data;
	return put_header(w, &t);
}

static int write_directory(struct writer *w, const struct walk_entry *e)
{
	CLEANUP(layer_xattrs_release) struct layer_xattrs xattrs = LAYER_XATTRS_INIT;
	CLEANUP(fd_close) int fd = -1;
	struct tar_entry t = entry_of(e, TAR_DIRECTORY);
	int opaque, r = 0;

	fd = openat(e->dirfd, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return varve_error_set(w->err, -errno, "open directory %s", e->path);
	if (!layer_implied_has(w->implied, e->path)) {
		r = read_xattrs(w, e->path, fd, &xattrs);
		if (r < 0)
			return r;
		t.xattrs = &xattrs;
		r = put_header(w, &t);
	}
	opaque = layer_xattr_opaque(fd);
	if (opaque < 0)
		return varve_error_set(w->err, opaque, "read extended attributes of %s", e->path);
	if (r == 0 && opaque)
		r = write_mark(w, e->path, strlen(e->path), ".wh..opq");
	return r;
}

static int write_fifo(struct writer *w, const struct walk_entry *e)
{
	struct tar_entry t = entry_of(e, TAR_FIFO);

	return put_header(w, &t);
}

static int write_device(struct writer *w, const struct walk_entry *e)
{
	struct tar_entry t = entry_of(e, S_ISCHR(e->st.st_mode) ? TAR_CHARACTER : TAR_BLOCK_DEVICE);

	t.major = major(e->st.st_rdev);
	t.minor = minor(e->st.st_rdev);
	if (t.major > TAR_DEVICE_MAX || t.minor > TAR_DEVICE_MAX)
		return varve_error_set(w->err, -VARVE_E_LIMIT, "%s: a device of number %u:%u",
				       e->path, t.major, t.minor);
	return put_header(w, &t);
}

/* Also symlinks, fifos and devices may have several names. */
static int write_link(struct writer *w, const struct walk_entry *e, const char *first)
{
	struct tar_entry t = entry_of(e, TAR_LINK);

	t.link = first;
	return put_header(w, &t);
}

static int write_inode(struct writer *w, const struct walk_entry *e)
{
	switch (e->st.st_mode & S_IFMT) {
	case S_IFREG:
		return write_file(w, e);
	case S_IFDIR:
		return write_directory(w, e);
	case S_IFLNK:
		return write_symlink(w, e);
	case S_IFIFO:
		return write_fifo(w, e);
	case S_IFCHR:
	case S_IFBLK:
		return write_device(w, e);
	default:
		return varve_error_set(w->err, -VARVE_E_FORMAT, "%s: a layer holds no sockets",
				       e->path);
	}
}

static int write_entry(struct writer *w, const struct walk_entry *e)
{
	const char *first = NULL;
	size_t parent = (size_t)(e->name - e->path);

	if (e->whiteout)
		return write_mark(w, e->path, parent > 0 ? parent - 1 : 0, e->name);
	if (str_starts(e->name, ".wh."))
		return varve_error_set(w->err, -VARVE_E_FORMAT,
				       "%s: names with \".wh.\" mark deletions in layers", e->path);
	if (e->st.st_nlink > 1 && !S_ISDIR(e->st.st_mode))
		first = first_name(w, e);
	return first ? write_link(w, e, first) : write_inode(w, e);
}

static int next_entry(struct writer *w, struct layer_walk *walk, struct walk_entry *ret)
{
	if (w->entries >= w->skip)
		layer_walk_open_files(walk);
	return layer_walk_next(walk, ret, w->err);
}

/* Returns 1 where the proof is at its end before the tree is. */
static int write_tree(struct writer *w, int tree, const struct owners *owners)
{
	CLEANUP(layer_walk_freep) struct layer_walk *walk = NULL;
	struct walk_entry e;
	int r;

	r = layer_walk_new(tree, owners, &walk, w->err);
	if (r < 0)
		return r;
	while ((r = next_entry(w, walk, &e)) > 0) {
		r = e.leave ? 0 : write_entry(w, &e);
		if (r != 0)
			return r;
	}
	return r;
}

int layer_write_proof(int tree, const struct strv *implied, const struct owners *owners,
		      struct layer_proof *proof, struct varve_error *err)
{
	CLEANUP(writer_release)
	struct writer w = {.proof = proof, .implied = implied, .err = err};

	return write_tree(&w, tree, owners);
}

int layer_write(int tree, const struct strv *implied, const struct owners *owners,
		struct sink *take_out, uint64_t *ret_entries, struct varve_error *err)
{
	return layer_write_after(tree, implied, owners, &(struct layer_writing){NULL, NULL, NULL},
				 take_out, ret_entries, err);
}

/* NOLINTNEXTLINE(readability-function-size): as layer_write */
int layer_write_after(int tree, const struct strv *implied, const struct owners *owners,
		      const struct layer_writing *how, struct sink *take_out, uint64_t *ret_entries,
		      struct varve_error *err)
{
	CLEANUP(writer_release)
	struct writer w = {.how = how, .implied = implied, .err = err};
	struct varve_error ignored;
	int r;

	w.skip = how->from ? how->from->entries : 0;
	sink_beside_init(&w.out, take_out);
	r = write_tree(&w, tree, owners);
	if (r == 0)
		r = put_zeros(&w, TAR_END);
	/* A failure of the sink is told by the sink; any other one was set where it happened. */
	if (r < 0 && !w.out.sink.error) {
		(void)sink_close(&w.out.sink, &ignored);
		return r;
	}
	r = sink_close(&w.out.sink, err);
	if (r < 0)
		return r;
	*ret_entries = w.entries;
	return 0;
}
