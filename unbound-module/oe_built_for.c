/*
 * unbound-module/oe_built_for.c - is this the Unbound that we were built for?
 */

/**
 * \file
 * Finds the loaded object that has Unbound's code (the program itself, or
 * libunbound), and in it the note with the build id.
 */

#define _GNU_SOURCE
#include <link.h>
#include <string.h>
#include "ub_compat.h"
#include "oe_built_for.h"

/** longest build id that we print, in bytes; those of today have 20 */
#define OE_BUILD_ID_MAX 32

/** what we were built for; configure made the list */
static const char* const built_for[] = { OE_UNBOUND_BUILD_IDS NULL };

/** what is looked for, and what was found */
struct search {
	/** an address in Unbound's code */
	ElfW(Addr) inside;
	/** build id in hexadecimal, or empty */
	char id[2*OE_BUILD_ID_MAX + 1];
};

/** is the address in this object? */
static int
is_inside(const struct dl_phdr_info* object, ElfW(Addr) address)
{
	int i;
	for(i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr)* ph = &object->dlpi_phdr[i];
		if(ph->p_type == PT_LOAD &&
			address >= object->dlpi_addr + ph->p_vaddr &&
			address - object->dlpi_addr - ph->p_vaddr <
			ph->p_memsz)
			return 1;
	}
	return 0;
}

/** the build id among the notes of one segment, into hexadecimal */
static void
read_notes(const char* at, size_t left, char* id)
{
	static const char hex[] = "0123456789abcdef";
	ElfW(Nhdr) note;
	while(left >= sizeof(note)) {
		size_t name, desc, i;
		const unsigned char* bytes;
		memcpy(&note, at, sizeof(note));
		name = ((size_t)note.n_namesz + 3) & ~(size_t)3;
		desc = ((size_t)note.n_descsz + 3) & ~(size_t)3;
		if(name > left - sizeof(note) ||
			desc > left - sizeof(note) - name)
			return;
		bytes = (const unsigned char*)at + sizeof(note) + name;
		if(note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
			memcmp(at + sizeof(note), "GNU", 4) == 0 &&
			note.n_descsz <= OE_BUILD_ID_MAX) {
			for(i = 0; i < note.n_descsz; i++) {
				id[2*i] = hex[bytes[i] >> 4];
				id[2*i + 1] = hex[bytes[i] & 15];
			}
			id[2*i] = 0;
			return;
		}
		at += sizeof(note) + name + desc;
		left -= sizeof(note) + name + desc;
	}
}

/** callback of dl_iterate_phdr: 1 ends the walk */
static int
look_at(struct dl_phdr_info* object, size_t ATTR_UNUSED(size), void* arg)
{
	struct search* search = (struct search*)arg;
	int i;
	if(!is_inside(object, search->inside))
		return 0;
	for(i = 0; i < object->dlpi_phnum && !search->id[0]; i++) {
		const ElfW(Phdr)* ph = &object->dlpi_phdr[i];
		if(ph->p_type == PT_NOTE)
			read_notes((const char*)(object->dlpi_addr +
				ph->p_vaddr), ph->p_memsz, search->id);
	}
	return 1;
}

int
oe_built_for_this(void)
{
	struct search search;
	size_t i;
	if(!built_for[0])
		return 1;
	memset(&search, 0, sizeof(search));
	search.inside = (ElfW(Addr))&config_create;
	dl_iterate_phdr(&look_at, &search);
	for(i = 0; built_for[i]; i++) {
		if(strcmp(built_for[i], search.id) == 0)
			return 1;
	}
	log_err("unbound-oe was built for another Unbound (build id %s; this "
		"one has %s). Install the unbound-oe that belongs to this "
		"Unbound, or build it from this one's source tree "
		"(configure --with-unbound-source)", built_for[0],
		search.id[0] ? search.id : "none");
	return 0;
}
