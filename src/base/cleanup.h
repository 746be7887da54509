/* SPDX-License-Identifier: Apache-2.0
 * Owning locals: CLEANUP(fn) calls fn(&variable) at the end of the scope. Every type declares its
 * cleanup function beside its free function; all of them accept NULL and keep errno. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stddef.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Cleanup for anything from malloc: CLEANUP(free_ptr) char *name = NULL; */
void free_ptr(void *pointer_to_pointer);

/* Hands an owned pointer over: the local no longer frees it. */
#define steal_ptr(pointer)                                                                         \
	__extension__({                                                                            \
		__typeof__(pointer) from_ = (pointer);                                             \
		__typeof__(*from_) stolen_ = *from_;                                               \
		*from_ = NULL;                                                                     \
		stolen_;                                                                           \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
