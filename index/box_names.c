#include "index/box_names.h"

#include "index/change.h"
#include "index/dbox/dbox_format.h"
#include "index/dbox/dbox_scan.h"

/* A line of a dbox file's beginning: id uidvalidity special_use name. What is known by now stays. */
static enum rp_err take_name(struct catalog *names, struct bytes line)
{
	struct change_item item = { .type = CHANGE_ITEM_MAILBOX };
	uint64_t number[3];
	enum rp_err err;

	for (unsigned i = 0; i < 3; i++) {
		size_t space = bytes_find(line, 0, ' ');

		if (space == line.n ||
		    !bytes_to_u64(bytes_slice(line, 0, space), UINT64_MAX - 1, &number[i]))
			return RP_OK;
		line = bytes_from(line, space + 1);
	}
	if (number[0] == 0 || number[1] == 0 || number[1] > UINT32_MAX || number[2] > 0xff ||
	    line.n == 0 || line.n > CHANGE_NAME_BYTES_MAX)
		return RP_OK;
	item.mailboxid = number[0];
	item.uidvalidity = (uint32_t)number[1];
	item.special_use = (unsigned)number[2];
	item.name = line;
	err = catalog_apply(names, &item, 0);
	return err == RP_ERR_CORRUPT ? RP_OK : err;
}

enum rp_err box_names_take(struct catalog *names, struct bytes text)
{
	enum rp_err err = RP_OK;

	for (size_t at = 0, end; err == RP_OK && at < text.n; at = end + 1) {
		end = bytes_find(text, at, '\n');
		err = take_name(names, bytes_slice(text, at, end));
	}
	return err;
}

enum rp_err box_names_read(struct task *task, struct dbox *dbox, struct catalog *names)
{
	uint32_t file = UINT32_MAX;
	enum rp_err err = RP_OK;

	while (err == RP_OK && (file = dbox_file_before(dbox, file)) != 0) {
		struct arena arena;
		struct bytes text;

		arena_init(&arena, DBOX_NAMES_BYTES_MAX + 65536);
		err = dbox_read_names(task, dbox, file, &arena, &text);
		if (err == RP_OK)
			err = box_names_take(names, text);
		else if (err == RP_ERR_NOTFOUND || err == RP_ERR_CORRUPT || err == RP_ERR_IO)
			err = RP_OK; /* another may tell */
		arena_fini(&arena);
	}
	return err;
}

enum rp_err box_names_tell(struct catalog *catalog, const struct catalog_entry *entry)
{
	const struct change_item item = { .type = CHANGE_ITEM_MAILBOX,
		.mailboxid = entry->mailboxid,
		.uidvalidity = entry->uidvalidity,
		.special_use = catalog_with_use(catalog, entry->special_use) == NULL ? entry->special_use : 0,
		.name = entry->name };
	enum rp_err err = catalog_apply(catalog, &item, 0);

	catalog_sort(catalog);
	return err;
}
