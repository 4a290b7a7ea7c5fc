#include "index/format.h"

#include <string.h>
#include <xxhash.h>

static uint64_t checksum(const struct format_header *header)
{
	return XXH3_64bits(header, offsetof(struct format_header, xxh3));
}

void format_sign(struct format_header *header, enum format_magic magic, uint16_t version)
{
	header->magic = magic;
	header->version = version;
	header->header_bytes = FORMAT_HEADER_BYTES;
	header->xxh3 = checksum(header);
}

static bool all_zero(const struct format_header *header)
{
	static const struct format_header zero;

	return memcmp(header, &zero, sizeof(zero)) == 0;
}

enum rp_err format_check(
    struct bytes in, enum format_magic magic, uint16_t version_max, struct format_header *out)
{
	struct format_header header;

	if (in.n < sizeof(header))
		return RP_ERR_END;
	memcpy(&header, in.p, sizeof(header));
	if (all_zero(&header))
		return RP_ERR_END;
	if (header.magic != magic || header.xxh3 != checksum(&header))
		return RP_ERR_CORRUPT;
	if (header.version > version_max || header.features_required != 0)
		return RP_ERR_CANNOT;
	if (header.header_bytes != FORMAT_HEADER_BYTES || header.version == 0 || header.nonce == 0)
		return RP_ERR_CORRUPT;
	*out = header;
	return RP_OK;
}

void format_put_area(const struct format_header *header, uint8_t area[FORMAT_AREA_BYTES])
{
	memset(area, 0, FORMAT_AREA_BYTES);
	memcpy(area, header, sizeof(*header));
	memcpy(area + FORMAT_SECTOR_BYTES, header, sizeof(*header));
}

enum rp_err format_check_area(
    struct bytes area, enum format_magic magic, uint16_t version_max, struct format_header *out)
{
	enum rp_err first = format_check(area, magic, version_max, out);

	if (first == RP_OK || area.n < FORMAT_SECTOR_BYTES)
		return first;

	enum rp_err second =
	    format_check(bytes_from(area, FORMAT_SECTOR_BYTES), magic, version_max, out);

	if (second == RP_OK || second == RP_ERR_CANNOT)
		return second;
	return first == RP_ERR_END ? second : first;
}

enum rp_err format_look_area(struct bytes area, enum format_magic magic, uint16_t version_max,
    struct format_header *out, unsigned *bad)
{
	uint8_t sound[FORMAT_AREA_BYTES];
	enum rp_err err = format_check_area(area, magic, version_max, out);

	*bad = FORMAT_FIRST_BAD | FORMAT_SECOND_BAD;
	if (err != RP_OK)
		return err;
	format_put_area(out, sound);
	if (area.n >= FORMAT_SECTOR_BYTES && memcmp(area.p, sound, FORMAT_SECTOR_BYTES) == 0)
		*bad &= ~(unsigned)FORMAT_FIRST_BAD;
	if (area.n >= FORMAT_AREA_BYTES &&
	    memcmp(area.p + FORMAT_SECTOR_BYTES, sound + FORMAT_SECTOR_BYTES, FORMAT_SECTOR_BYTES) == 0)
		*bad &= ~(unsigned)FORMAT_SECOND_BAD;
	return RP_OK;
}
