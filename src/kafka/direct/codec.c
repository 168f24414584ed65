#include "kafka/direct/codec.h"

#include <lz4frame.h>
#include <pthread.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "core/assert.h"
#include "core/memory.h"
#include "kafka/direct/wire.h"

/* What is unpacked: grows as it is filled. */
struct target {
    uint8_t *data;
    size_t length;
    size_t room;
    size_t limit;
};

/* A thread's contexts, made when first needed. */
struct contexts {
    z_stream gzip;
    bool gzip_made;
    LZ4F_dctx *lz4;
    ZSTD_DCtx *zstd;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

const char *
of_codec_name(int codec)
{
    static const char *const names[OF_CODECS] = { "none", "gzip", "snappy", "lz4", "zstd" };
    return codec >= 0 && codec < OF_CODECS ? names[codec] : "unknown";
}

static void
free_contexts(void *memory)
{
    struct contexts *contexts = memory;
    if (contexts->gzip_made)
        inflateEnd(&contexts->gzip);
    LZ4F_freeDecompressionContext(contexts->lz4);
    ZSTD_freeDCtx(contexts->zstd);
    free(contexts);
}

static void
make_key(void)
{
    int failed = pthread_key_create(&key, free_contexts);
    OF_ASSERT(!failed);
}

static struct contexts *
own_contexts(void)
{
    pthread_once(&once, make_key);
    struct contexts *contexts = pthread_getspecific(key);
    if (contexts == NULL) {
        contexts = of_alloc(sizeof *contexts);
        pthread_setspecific(key, contexts);
    }
    return contexts;
}

/* False: nothing more may come. */
static bool
grow(struct target *target)
{
    if (target->length < target->room)
        return true;
    if (target->room == target->limit)
        return false;
    size_t room = 2 * target->room;
    target->room = room > target->limit ? target->limit : room;
    target->data = of_realloc_array(target->data, target->room, 1);
    return true;
}

static enum of_status
invalid(struct of_error *err, int codec)
{
    return of_error_set(err, OF_POISON, "its records are no valid %s", of_codec_name(codec));
}

static enum of_status
too_long(struct of_error *err, const struct target *target)
{
    return of_error_set(err, OF_POISON, "its records unpack to more than %zu bytes", target->limit);
}

/* ---- gzip ---- */

static enum of_status
unpack_gzip(struct of_slice packed, struct target *target, struct of_error *err)
{
    enum { GZIP_ONLY = 16 + 15 };
    struct contexts *contexts = own_contexts();
    z_stream *stream = &contexts->gzip;
    if (!contexts->gzip_made) {
        OF_ASSERT(inflateInit2(stream, GZIP_ONLY) == Z_OK);
        contexts->gzip_made = true;
    }
    inflateReset2(stream, GZIP_ONLY);
    stream->next_in = (Bytef *)(uintptr_t)packed.data;
    stream->avail_in = (uInt)packed.length;
    for (;;) {
        if (!grow(target))
            return too_long(err, target);
        stream->next_out = target->data + target->length;
        stream->avail_out = (uInt)(target->room - target->length);
        int code = inflate(stream, Z_NO_FLUSH);
        target->length = target->room - stream->avail_out;
        if (code == Z_STREAM_END)
            return OF_OK;
        if (code != Z_OK || (stream->avail_in == 0 && stream->avail_out > 0))
            return invalid(err, OF_CODEC_GZIP);
    }
}

/* ---- snappy ---- */

static enum of_status
unpack_snappy_block(struct of_slice packed, struct target *target, struct of_error *err)
{
    size_t length;
    if (snappy_uncompressed_length((const char *)packed.data, packed.length, &length) != SNAPPY_OK)
        return invalid(err, OF_CODEC_SNAPPY);
    if (length > target->limit - target->length)
        return too_long(err, target);
    if (length > target->room - target->length) {
        target->room = target->length + length;
        target->data = of_realloc_array(target->data, target->room, 1);
    }
    if (snappy_uncompress((const char *)packed.data, packed.length, (char *)target->data + target->length, &length) !=
        SNAPPY_OK)
        return invalid(err, OF_CODEC_SNAPPY);
    target->length += length;
    return OF_OK;
}

/* xerial's framing: a magic, two version numbers of four bytes, then blocks, each behind its length. */
static enum of_status
unpack_snappy(struct of_slice packed, struct target *target, struct of_error *err)
{
    static const uint8_t magic[8] = { 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0 };
    enum { HEAD_BYTES = sizeof magic + 8 };
    if (packed.length < HEAD_BYTES || memcmp(packed.data, magic, sizeof magic) != 0)
        return unpack_snappy_block(packed, target, err);
    struct of_wire_reader reader = of_wire_read(packed);
    of_wire_take(&reader, HEAD_BYTES);
    while (of_wire_left(&reader) > 0) {
        int32_t length = of_wire_i32(&reader);
        const uint8_t *block = length < 0 ? NULL : of_wire_take(&reader, (size_t)length);
        if (block == NULL)
            return invalid(err, OF_CODEC_SNAPPY);
        enum of_status status = unpack_snappy_block(of_slice_of(block, (size_t)length), target, err);
        if (status != OF_OK)
            return status;
    }
    return OF_OK;
}

/* ---- lz4, zstd ---- */

static enum of_status
unpack_lz4(struct of_slice packed, struct target *target, struct of_error *err)
{
    struct contexts *contexts = own_contexts();
    if (contexts->lz4 == NULL)
        OF_ASSERT(!LZ4F_isError(LZ4F_createDecompressionContext(&contexts->lz4, LZ4F_VERSION)));
    LZ4F_resetDecompressionContext(contexts->lz4);
    for (size_t left = 1; left > 0;) {
        if (!grow(target))
            return too_long(err, target);
        size_t taken = packed.length, given = target->room - target->length;
        left = LZ4F_decompress(contexts->lz4, target->data + target->length, &given, packed.data, &taken, NULL);
        if (LZ4F_isError(left) || (left > 0 && taken == 0 && given == 0))
            return invalid(err, OF_CODEC_LZ4);
        target->length += given;
        packed = of_slice_of(packed.data + taken, packed.length - taken);
    }
    return OF_OK;
}

static enum of_status
unpack_zstd(struct of_slice packed, struct target *target, struct of_error *err)
{
    struct contexts *contexts = own_contexts();
    if (contexts->zstd == NULL)
        contexts->zstd = ZSTD_createDCtx();
    OF_ASSERT(contexts->zstd != NULL);
    ZSTD_DCtx_reset(contexts->zstd, ZSTD_reset_session_only);
    ZSTD_inBuffer in = { packed.data, packed.length, 0 };
    for (size_t left = 1; left > 0;) {
        if (!grow(target))
            return too_long(err, target);
        ZSTD_outBuffer out = { target->data, target->room, target->length };
        size_t taken = in.pos;
        left = ZSTD_decompressStream(contexts->zstd, &out, &in);
        if (ZSTD_isError(left) || (left > 0 && in.pos == taken && out.pos == target->length))
            return invalid(err, OF_CODEC_ZSTD);
        target->length = out.pos;
    }
    return OF_OK;
}

/* ---- all ---- */

enum of_status
of_codec_unpack(int codec, struct of_slice packed, size_t limit, uint8_t **out, size_t *length, struct of_error *err)
{
    static enum of_status (*const unpack[OF_CODECS])(struct of_slice, struct target *, struct of_error *) = {
        [OF_CODEC_GZIP] = unpack_gzip,
        [OF_CODEC_SNAPPY] = unpack_snappy,
        [OF_CODEC_LZ4] = unpack_lz4,
        [OF_CODEC_ZSTD] = unpack_zstd,
    };
    enum { LEAST_BYTES = 1024, USUAL_RATIO = 4 };
    *out = NULL;
    *length = 0;
    if (codec <= OF_CODEC_NONE || codec >= OF_CODECS)
        return of_error_set(err, OF_POISON, "it is packed by codec %d, which is not known", codec);
    struct target target = { .room = USUAL_RATIO * packed.length + LEAST_BYTES, .limit = limit };
    if (target.room > limit)
        target.room = limit;
    target.data = of_realloc_array(NULL, target.room, 1);
    enum of_status status = unpack[codec](packed, &target, err);
    if (status != OF_OK) {
        free(target.data);
        return status;
    }
    *out = target.data;
    *length = target.length;
    return OF_OK;
}
