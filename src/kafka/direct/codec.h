/* Unpacking the records of a batch: gzip, snappy (with or without the framing of xerial's Java library), lz4 frames,
 * zstd. The numbers are those in a batch's attributes.
 *
 * What comes from outside decides about neither memory nor time without a limit: nothing is unpacked beyond `limit`
 * bytes. Threads: any; each keeps contexts of its own until it ends. */
#ifndef OF_KAFKA_DIRECT_CODEC_H
#define OF_KAFKA_DIRECT_CODEC_H

#include "core/error.h"
#include "core/slice.h"

enum of_codec { OF_CODEC_NONE, OF_CODEC_GZIP, OF_CODEC_SNAPPY, OF_CODEC_LZ4, OF_CODEC_ZSTD, OF_CODECS };

/* "gzip"; "unknown" for other numbers. */
const char *of_codec_name(int codec);

/* Unpacks into memory of its own, which the caller frees. OF_OK; OF_POISON with a text: not valid, longer than limit, or
 * an unknown codec; *out is NULL then. */
enum of_status of_codec_unpack(int codec, struct of_slice packed, size_t limit, uint8_t **out, size_t *length,
                               struct of_error *err) OF_MUST_USE;

#endif
