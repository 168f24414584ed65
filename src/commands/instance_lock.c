#include "commands/instance_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/assert.h"

enum { ATTEMPTS = 20, TEXT_BYTES = 1024, SHARED_FOLDER = 01777, SHARED_FILE = 0666 };

/* ---- the folder ---- */

/* The choice depends on the host alone and not on who asks, as all must come to the same. Not in first place a temporary
 * folder: services often have one of their own, and what is old in it is deleted. */
static const char *
host_folder(void)
{
    static const struct {
        const char *parent, *folder;
    } candidates[] = { { "/run/lock", "/run/lock/orderflow" }, { "/tmp", "/tmp/orderflow" } };
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        struct stat found;
        mode_t needed = S_ISVTX | S_IWOTH | S_IXOTH;
        if (stat(candidates[i].parent, &found) == 0 && (found.st_mode & needed) == needed)
            return candidates[i].folder;
    }
    return "/tmp/orderflow";
}

/* Modes are set apart from making, which the umask narrows. */
static int
open_folder(const char *path)
{
    bool made = mkdir(path, SHARED_FOLDER) == 0;
    if (!made && errno != EEXIST)
        return -1;
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return -1;
    if (made && fchmod(folder, SHARED_FOLDER) != 0) {
        close(folder);
        return -1;
    }
    flock(folder, LOCK_SH | LOCK_NB);
    return folder;
}

/* ---- the file ---- */

/* Opens it without O_CREAT where it is there: with it the kernel refuses files of others in sticky folders
 * (fs.protected_regular). A file that may only be read can still be locked. */
static int
open_file(int folder, const char *name)
{
    static const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    int file = openat(folder, name, O_RDWR | flags);
    if (file < 0 && errno == EACCES)
        file = openat(folder, name, O_RDONLY | flags);
    if (file >= 0 || errno != ENOENT)
        return file;
    file = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | flags, SHARED_FILE);
    if (file >= 0)
        fchmod(file, SHARED_FILE);
    return file;
}

/* Whether what is locked is what others find by this name, and not deleted in between or a link to something else. */
static bool
is_the_file(int folder, const char *name, int file)
{
    struct stat ours, theirs;
    return fstat(file, &ours) == 0 && fstatat(folder, name, &theirs, AT_SYMLINK_NOFOLLOW) == 0
           && ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino && S_ISREG(ours.st_mode) && ours.st_nlink == 1;
}

/* Errors do not matter: the lock counts, the text is a help. */
static void
describe(int file, const char *about)
{
    char text[TEXT_BYTES], since[32];
    struct tm now;
    time_t seconds = time(NULL);
    strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &now));
    int length = snprintf(text, sizeof text, "pid %ld\nsince %s\n%s", (long)getpid(), since, about);
    if (length >= (int)sizeof text)
        length = (int)sizeof text - 1;
    if (pwrite(file, text, (size_t)length, 0) == length && ftruncate(file, length) != 0)
        return;
}

static enum of_status
tell_holder(int file, struct of_error *err)
{
    char text[TEXT_BYTES], since[32];
    long pid;
    ssize_t length = pread(file, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    if (sscanf(text, "pid %ld\nsince %31[0-9TZ:-]", &pid, since) == 2)
        return of_error_set(err, OF_AGAIN, "process %ld, since %s", pid, since);
    return of_error_set(err, OF_AGAIN, "another process");
}

/* OF_RETRY: the file was replaced in between. */
static enum of_status
lock_file(struct of_instance_lock *lock, const char *name, const char *about, struct of_error *err)
{
    int file = open_file(lock->folder, name);
    if (file < 0)
        return of_error_set(err, errno == EEXIST || errno == ENOENT ? OF_RETRY : OF_FATAL, "%s", strerror(errno));
    enum of_status status = OF_OK;
    if (flock(file, LOCK_EX | LOCK_NB) != 0)
        status = errno == EWOULDBLOCK ? tell_holder(file, err) : of_error_set(err, OF_FATAL, "%s", strerror(errno));
    else if (!is_the_file(lock->folder, name, file))
        status = of_error_set(err, OF_RETRY, "is no plain file, or is being replaced");
    if (status != OF_OK) {
        close(file);
        return status;
    }
    describe(file, about);
    lock->file = file;
    return OF_OK;
}

enum of_status
of_instance_lock_take(struct of_instance_lock *lock, const char *folder, const char *name, const char *about,
                      struct of_error *err)
{
    char file[NAME_MAX + 1];
    int length = snprintf(file, sizeof file, "%s.lock", name);
    OF_ASSERT(name[0] != '.' && strchr(name, '/') == NULL && length < (int)sizeof file);
    const char *path = folder != NULL ? folder : host_folder();
    *lock = (struct of_instance_lock) { .folder = open_folder(path), .file = -1 };
    if (lock->folder < 0)
        return of_error_set(err, OF_FATAL, "lock folder %s: %s", path, strerror(errno));
    enum of_status status = OF_RETRY;
    for (int i = 0; status == OF_RETRY && i < ATTEMPTS; i++)
        status = lock_file(lock, file, about, err);
    if (status == OF_OK)
        return OF_OK;
    of_instance_lock_give_back(lock);
    if (status == OF_AGAIN)
        return status;
    if (err != NULL)
        err->status = OF_FATAL;
    return of_error_prefix(err, "lock file %s/%s", path, file);
}

void
of_instance_lock_give_back(struct of_instance_lock *lock)
{
    if (lock->file >= 0)
        close(lock->file);
    if (lock->folder >= 0)
        close(lock->folder);
    *lock = (struct of_instance_lock) { .folder = -1, .file = -1 };
}
