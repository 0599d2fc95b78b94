//! How long a machine takes to an engine that answers, and how long the parts that are not ours take.
//!
//! The baseline is the same QEMU with the same arguments, kernel and system image, whose first program is a shell
//! script that mounts what the engine needs and starts it: no agent, no link, nothing of Wherry. The engine does the same
//! work: packet filter rules for IPv6 too, and containerd without the parts that Docker does not use.

use super::bare::Bare;
use super::figures::{Baseline, Figure, interleaved};
use super::machine::Machine;
use crate::Error;

/// What dockerd logs when it answers.
const READY: &str = "API listen on";

/// Run as the first program of the baseline's guest. Its root is the data disk, the system image is mounted on it.
const INIT: &str = r#"#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t devtmpfs dev /dev 2> /dev/null
mount -t erofs -o ro /dev/vda /image
mount -t proc proc /proc
mount -t proc proc /image/proc
mount -t sysfs sys /image/sys
mount -t devtmpfs dev /image/dev
mount -t tmpfs run /image/run
mount -t tmpfs tmp /image/tmp
mount -t cgroup2 groups /image/sys/fs/cgroup
mount --bind /data /image/data
mkdir -p /image/run/wherry/docker /image/run/log
echo 1 > /proc/sys/net/ipv4/ip_forward
cat > /image/run/containerd.toml << END
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing",
  "io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp"]
END
chroot /image /usr/bin/containerd --config /run/containerd.toml --log-level error --address /run/containerd.sock \
    > /dev/null 2>&1 &
chroot /image /usr/sbin/dockerd --containerd /run/containerd.sock --host unix:///run/docker.sock --userland-proxy=false \
    --experimental --ip6tables 2>&1 |
while read -r line; do
    echo "$line"
    case $line in *"API listen on"*) kill -TERM $(pidof dockerd) ;; esac
done
kill -TERM $(pidof containerd)
wait
umount /image/data
mount -o remount,ro /
poweroff -f
"#;

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let machine = Machine::prepared()?;
    machine.start()?;
    let status = machine.status()?;
    let note = Machine::conditions(&status);
    let bare = Bare::from_running(&status, &machine.home().join("bare"), INIT, &[])?;
    machine.stop()?;
    // Its first boot makes dockerd's folders, as the machine's did.
    bare.boot(READY)?;

    let (ours, baseline) = interleaved(
        runs,
        &mut || {
            let took = machine.start()?;
            machine.stop()?;
            Ok(took)
        },
        &mut || Ok(bare.boot(READY)?.0),
    )?;
    Ok(vec![Figure {
        name: "engine ready, cold",
        unit: "s",
        runs: ours,
        baseline: Some(Baseline {
            what: "the same QEMU, kernel and engine, bare",
            runs: baseline,
        }),
        bar: "<= 1.15 x, <= 4.5 s emulated",
        note: Some(note),
    }])
}
