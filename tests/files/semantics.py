"""What programs rely on of a file system, tried in the folder given; a line for each, `ok` or `failed` first.

Run in a container whose folder is one of the person's. What takes a second container is told apart by the words
after the folder: see the end.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import socket
import stat
import struct
import subprocess
import sys
import threading

libc = ctypes.CDLL(None, use_errno=True)
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
PUNCH_HOLE, KEEP_SIZE = 2, 1
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def write(path, content=b"x"):
    with open(path, "wb") as file:
        file.write(content)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def refused(number, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except OSError as error:
        assert error.errno == number, f"{errno.errorcode[error.errno]} instead of {errno.errorcode[number]}"
    else:
        raise AssertionError(f"it worked, instead of {errno.errorcode[number]}")


def renameat2(old, new, flags):
    if libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def fallocate(file, mode, offset, length):
    if libc.fallocate(file, mode, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def as_user(uid, script):
    """In another process, so that this one stays root."""

    def become():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)

    return subprocess.run(["/bin/sh", "-c", script], preexec_fn=become, capture_output=True, text=True)


@check
def names_of_255_bytes():
    write("n" * 255)
    assert read("n" * 255) == b"x"
    refused(errno.ENAMETOOLONG, write, "n" * 256)


@check
def names_in_any_script_and_of_any_bytes():
    names = ["prüfung", "pru\u0308fung", "文書", "дело", "🛶", "a\nb", " ", "-rf", "\\", '"', "%s", "\u202egnp.exe"]
    names = [name.encode() for name in names] + [b"\xff\xfe", b"\xc3("]
    os.mkdir("names")
    for name in names:
        write(b"names/" + name, name)
    assert sorted(os.listdir(b"names")) == sorted(names)
    for name in names:
        assert read(b"names/" + name) == name


@check
def upper_and_lower_case_are_different_names():
    write("Case", b"1")
    write("case", b"2")
    assert read("Case") == b"1"


@check
def rename_over_a_file_that_is_open():
    write("old", b"old")
    write("new", b"new")
    with open("old", "rb") as kept:
        os.rename("new", "old")
        assert kept.read() == b"old"
        assert os.fstat(kept.fileno()).st_nlink == 0
    assert read("old") == b"new"


@check
def rename_without_replacing():
    write("first", b"1")
    write("second", b"2")
    refused(errno.EEXIST, renameat2, "first", "second", RENAME_NOREPLACE)
    renameat2("first", "third", RENAME_NOREPLACE)
    assert (read("second"), read("third")) == (b"2", b"1")


@check
def rename_exchanging():
    write("left", b"l")
    os.mkdir("right")
    renameat2("left", "right", RENAME_EXCHANGE)
    assert os.path.isdir("left") and read("right") == b"l"


@check
def rename_of_folders():
    os.makedirs("from/deep")
    os.mkdir("to")
    os.rename("from", "to")
    assert os.path.isdir("to/deep")
    os.mkdir("other")
    refused(errno.ENOTEMPTY, os.rename, "other", "to")
    refused(errno.EINVAL, os.rename, "to", "to/deep/er")


@check
def hard_links():
    write("one", b"1")
    os.link("one", "two")
    assert os.stat("one").st_ino == os.stat("two").st_ino
    assert os.stat("two").st_nlink == 2
    write("two", b"2")
    os.unlink("two")
    assert read("one") == b"2" and os.stat("one").st_nlink == 1


@check
def symbolic_links():
    write("target", b"t")
    os.symlink("target", "relative")
    os.symlink("/nowhere", "dangling")
    os.symlink("loop", "loop")
    os.symlink("x" * 4000, "long")
    assert read("relative") == b"t" and os.readlink("dangling") == "/nowhere"
    assert os.readlink("long") == "x" * 4000
    refused(errno.ELOOP, read, "loop")
    refused(errno.ELOOP, os.open, "relative", os.O_RDONLY | os.O_NOFOLLOW)


@check
def extended_attributes():
    write("dressed")
    os.setxattr("dressed", "user.colour", b"red")
    refused(errno.EEXIST, os.setxattr, "dressed", "user.colour", b"blue", os.XATTR_CREATE)
    refused(errno.ENODATA, os.setxattr, "dressed", "user.size", b"1", os.XATTR_REPLACE)
    os.setxattr("dressed", "user.long", b"v" * 2000)
    assert os.getxattr("dressed", "user.colour") == b"red"
    assert sorted(os.listxattr("dressed")) == ["user.colour", "user.long"]
    os.chown("dressed", 70, 70)
    assert sorted(os.listxattr("dressed")) == ["user.colour", "user.long"]
    os.removexattr("dressed", "user.colour")
    refused(errno.ENODATA, os.getxattr, "dressed", "user.colour")


@check
def sparse_files():
    file = os.open("sparse", os.O_RDWR | os.O_CREAT)
    os.truncate(file, 64 << 20)
    os.pwrite(file, b"d" * 65536, 32 << 20)
    os.fsync(file)
    assert os.fstat(file).st_blocks * 512 < 1 << 20
    assert os.lseek(file, 0, os.SEEK_DATA) == 32 << 20
    assert os.lseek(file, 32 << 20, os.SEEK_HOLE) == (32 << 20) + 65536
    os.close(file)


@check
def holes_are_punched():
    file = os.open("holes", os.O_RDWR | os.O_CREAT)
    os.pwrite(file, b"d" * (1 << 20), 0)
    os.fsync(file)
    before = os.fstat(file).st_blocks
    fallocate(file, PUNCH_HOLE | KEEP_SIZE, 0, 1 << 19)
    assert os.fstat(file).st_blocks < before and os.fstat(file).st_size == 1 << 20
    assert os.pread(file, 4, 0) == b"\0\0\0\0" and os.pread(file, 1, 1 << 19) == b"d"
    os.close(file)


@check
def room_is_allocated():
    file = os.open("room", os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(file, 0, 1 << 20)
    assert os.fstat(file).st_size == 1 << 20
    os.close(file)


@check
def files_without_a_name():
    """`O_TMPFILE`: no FUSE server of today has it, and programs take a named file then, as Python does."""
    import tempfile

    with tempfile.TemporaryFile(dir=".") as file:
        file.write(b"t")
        file.seek(0)
        assert file.read() == b"t"


@check
def files_that_are_removed_while_they_are_open():
    file = os.open("gone", os.O_RDWR | os.O_CREAT)
    os.unlink("gone")
    os.write(file, b"still here")
    os.ftruncate(file, 5)
    assert os.pread(file, 100, 0) == b"still" and os.fstat(file).st_nlink == 0
    os.fchmod(file, 0o600)
    os.fchown(file, 70, 70)
    os.close(file)


@check
def folders_that_are_removed_while_they_are_used():
    os.mkdir("left")
    folder = os.open("left", os.O_RDONLY)
    os.rmdir("left")
    refused(errno.ENOENT, os.open, "file", os.O_CREAT | os.O_WRONLY, dir_fd=folder)
    os.close(folder)


@check
def memory_that_is_shared():
    write("mapped", b"\0" * 8192)
    with open("mapped", "r+b") as file:
        with mmap.mmap(file.fileno(), 8192) as memory:
            child = subprocess.Popen(
                [sys.executable, "-c", "import mmap; f = open('mapped', 'r+b'); m = mmap.mmap(f.fileno(), 8192); m[4096:4100] = b'both'; m.flush()"]
            )
            assert child.wait() == 0
            memory[0:4] = b"mine"
            assert memory[4096:4100] == b"both"
            memory.flush()
    assert read("mapped")[:4] == b"mine" and read("mapped")[4096:4100] == b"both"


@check
def appending_by_several_programs():
    script = "i=0; while [ $i -lt 200 ]; do echo line >> appended; i=$((i+1)); done"
    writers = [subprocess.Popen(["/bin/sh", "-c", script]) for _ in range(4)]
    assert all(writer.wait() == 0 for writer in writers)
    assert read("appended") == b"line\n" * 800


@check
def reading_past_the_cache():
    file = os.open("direct", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
    block = mmap.mmap(-1, 4096)
    block.write(b"b" * 4096)
    assert os.write(file, block) == 4096
    os.lseek(file, 0, os.SEEK_SET)
    assert os.readv(file, [block]) == 4096 and block[:1] == b"b"
    os.close(file)


@check
def copying_in_the_file_system():
    write("source", b"c" * 100_000)
    with open("source", "rb") as source, open("copy", "wb") as copy:
        assert os.copy_file_range(source.fileno(), copy.fileno(), 100_000) == 100_000
    with open("source", "rb") as source, open("sent", "wb") as sent:
        assert os.sendfile(sent.fileno(), source.fileno(), 0, 100_000) == 100_000
    assert read("copy") == read("sent") == b"c" * 100_000


@check
def folders_of_many_files():
    os.mkdir("many")
    for number in range(3000):
        write(f"many/{number}", b"")
    assert len(os.listdir("many")) == 3000
    # Removed while they are listed, as `rm -r` does.
    with os.scandir("many") as entries:
        for entry in entries:
            os.unlink(entry.path)
    os.rmdir("many")


@check
def times():
    write("times")
    os.utime("times", ns=(1_000_000_001, 2_000_000_003))
    now = os.stat("times")
    assert (now.st_atime_ns, now.st_mtime_ns) == (1_000_000_001, 2_000_000_003)
    os.utime("times", (2**33, 2**33))
    assert os.stat("times").st_mtime == 2**33
    write("times", b"later")
    assert os.stat("times").st_mtime < 2**33


@check
def modes():
    write("mode")
    for mode in (0o000, 0o444, 0o600, 0o755, 0o777, 0o1777, 0o4755):
        os.chmod("mode", mode)
        assert stat.S_IMODE(os.stat("mode").st_mode) == mode, oct(mode)
    old = os.umask(0o027)
    write("masked")
    os.umask(old)
    assert stat.S_IMODE(os.stat("masked").st_mode) == 0o640


@check
def owners():
    write("owned")
    os.mkdir("folder")
    os.symlink("owned", "link")
    os.mkfifo("pipe")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket")
    for name in ("owned", "folder", "link", "pipe", "socket"):
        assert os.lstat(name).st_uid == 0, f"{name} belongs to who made it"
        os.chown(name, 999, 998, follow_symlinks=False)
        assert (os.lstat(name).st_uid, os.lstat(name).st_gid) == (999, 998), name
    listener.close()


@check
def a_user_may_do_with_their_own_what_others_may_not():
    os.chmod(".", 0o777)
    made = as_user(999, "umask 077; echo secret > mine; mkfifo myfifo; ln -s mine mylink; chmod 0640 mine myfifo; chmod 0600 myfifo")
    assert made.returncode == 0, made.stderr
    assert as_user(999, "cat mine").stdout == "secret\n"
    assert as_user(1234, "cat mine").returncode != 0
    assert as_user(1234, "chmod 777 mine").returncode != 0
    assert as_user(1234, "chown 1234 mine").returncode != 0
    os.chmod(".", 0o1777)
    assert as_user(1234, "rm -f mine").returncode != 0
    assert os.path.exists("mine")


@check
def a_folder_gives_its_group():
    os.mkdir("shared")
    os.chown("shared", 0, 70)
    os.chmod("shared", 0o2775)
    write("shared/file")
    os.mkdir("shared/folder")
    assert os.stat("shared/file").st_gid == 70
    assert os.stat("shared/folder").st_gid == 70
    assert os.stat("shared/folder").st_mode & stat.S_ISGID


@check
def writing_takes_the_rights_of_a_program_away():
    write("program")
    os.chmod("program", 0o4755)
    os.chmod(".", 0o777)
    os.chmod("program", 0o4777)
    assert as_user(1234, "echo x > program").returncode == 0
    assert not os.stat("program").st_mode & stat.S_ISUID


@check
def pipes_and_sockets_with_a_name():
    os.mkfifo("named")
    writer = threading.Thread(target=lambda: write("named", b"through"))
    writer.start()
    assert read("named") == b"through"
    writer.join()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("listens")
    listener.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect("listens")
    client.close()
    listener.close()


@check
def locks_of_one_program_are_seen_by_another():
    for name, lock in (("flock", fcntl.flock), ("lockf", fcntl.lockf)):
        with open("locked-" + name, "w") as file:
            lock(file, fcntl.LOCK_EX)
            script = f"import fcntl; fcntl.{name}(open('locked-{name}', 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
            other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
            assert "BlockingIOError" in other.stderr, name


@check
def ranges_are_locked():
    with open("ranges", "w+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, 10, 100)
        script = """
import fcntl
file = open('ranges', 'r+b')
fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 100, 0)
fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 105)
"""
        other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert "line 5" in other.stderr and "BlockingIOError" in other.stderr, other.stderr


@check
def events_of_what_the_container_does_itself():
    watch = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(watch, b".", 0x100 | 0x200 | 0x40 | 0x80) > 0
    write("seen")
    os.rename("seen", "seen2")
    os.unlink("seen2")
    events, kinds = os.read(watch, 4096), []
    while events:
        _, mask, _, length = struct.unpack("iIII", events[:16])
        kinds.append(mask)
        events = events[16 + length :]
    assert kinds == [0x100, 0x40, 0x80, 0x200], kinds
    os.close(watch)


@check
def room_that_is_left():
    now = os.statvfs(".")
    assert now.f_namemax == 255 and now.f_bavail > 0


@check
def folders_are_synced():
    folder = os.open(".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def all_of_them(folder):
    for function in CHECKS:
        place = os.path.join(folder, function.__name__)
        os.mkdir(place)
        os.chdir(place)
        name = function.__name__.replace("_", " ")
        try:
            function()
        except Exception as error:  # Whatever it is, the next one is tried as well.
            print(f"failed {name}: {error!r}", flush=True)
        else:
            print(f"ok {name}", flush=True)


def lock(kind, path, flags):
    file = open(path, "a+")
    getattr(fcntl, kind)(file, fcntl.LOCK_EX | flags)
    return file


def hold(kind, path):
    """Locks the file until its standard input ends."""
    file = lock(kind, path, 0)
    print("held", flush=True)
    sys.stdin.read()
    file.close()


def attempt(kind, path):
    try:
        lock(kind, path, fcntl.LOCK_NB)
    except BlockingIOError:
        print("taken")
    else:
        print("free")


def database(path, who, count):
    """Writes that many rows, each in a transaction of its own, beside another container."""
    import sqlite3

    connection = sqlite3.connect(path, timeout=120, isolation_level=None)
    if who == "maker":
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table rows (who, number)")
    for number in range(int(count)):
        connection.execute("insert into rows values (?, ?)", (who, number))
    (state,) = connection.execute("pragma integrity_check").fetchone()
    print(state)


def count_rows(path):
    import sqlite3

    connection = sqlite3.connect(path, timeout=120)
    (rows,) = connection.execute("select count(distinct who || number) from rows").fetchone()
    (state,) = connection.execute("pragma integrity_check").fetchone()
    (mode,) = connection.execute("pragma journal_mode").fetchone()
    print(rows, state, mode)


if __name__ == "__main__":
    what = {"all": all_of_them, "hold": hold, "try": attempt, "write": database, "count": count_rows}
    what[sys.argv[1]](*sys.argv[2:])
