#include "io/mount.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const char text[] =
    "21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
    "30 21 0:26 / /mnt/a\\040-\\040b rw - fuse.sshfs me@there:/ rw,user_id=0\n"
    "31 21 0:27 / /x rw shared:2 master:1 - fuse prog rw\n"
    "32 21 7:1 / /y rw - fuseblk /dev/loop1 rw,blksize=4096\n"
    "33 21 0:2 / - rw - tmpfs none rw\n"
    "34 21 0:40 / /cut rw -";

static const char *type_of(unsigned major, unsigned minor)
{
	static char found[MOUNT_TYPE_BYTES];
	struct bytes type;

	if (!mount_find(bytes_of_str(text), major, minor, &type))
		return NULL;
	snprintf(found, sizeof(found), "%.*s", BYTES_FMT(type));
	return found;
}

Test(mount, the_type_is_found_by_the_device)
{
	cr_assert_str_eq(type_of(254, 0), "ext4");
	cr_assert_str_eq(type_of(0, 26), "fuse.sshfs");
	cr_assert_str_eq(type_of(0, 27), "fuse");
	cr_assert_str_eq(type_of(7, 1), "fuseblk");
	cr_assert_str_eq(type_of(0, 2), "tmpfs");
	cr_assert_null(type_of(0, 40), "a line that is cut short");
	cr_assert_null(type_of(0, 99));
	cr_assert_null(type_of(2, 54));
}

Test(mount, programs_are_told_from_disks)
{
	cr_assert(mount_is_fuse("fuse"));
	cr_assert(mount_is_fuse("fuse.sshfs"));
	cr_assert_not(mount_is_fuse("fuseblk"));
	cr_assert_not(mount_is_fuse("virtiofs"));
	cr_assert_not(mount_is_fuse("fusectl"));
	cr_assert_not(mount_is_fuse(""));
}

Test(mount, a_real_one_has_a_type)
{
	char type[MOUNT_TYPE_BYTES];
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	mount_type(fd, type);
	cr_assert_str_eq(type, "proc");
	close(fd);
	mount_type(-1, type);
	cr_assert_str_eq(type, "");
}
