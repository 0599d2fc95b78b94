//! What a container may use and do: limits, rights, devices, and the flags that few people need.

use super::{Reading, Usual, items, pairs, positive, word, words};
use crate::run::text;
use crate::{Gpus, RunDevice, Ulimit, WhichGpus};

impl Reading<'_> {
    pub(super) fn what_it_may(&mut self) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "billionths of some hundred processors at most"
        )]
        let cpus = positive(&self.host["NanoCpus"]).map(|nanos| nanos as f64 / 1e9);
        self.spec.cpus = cpus;
        self.spec.memory = positive(&self.host["Memory"]);
        self.spec.shm_size = positive(&self.host["ShmSize"]).filter(|size| *size != 64 << 20);
        self.spec.ulimits = items(&self.host["Ulimits"])
            .iter()
            .filter_map(|limit| {
                Some(Ulimit {
                    name: word(&limit["Name"])?,
                    soft: limit["Soft"].as_i64()?,
                    hard: limit["Hard"].as_i64()?,
                })
            })
            .collect();
        self.spec.cap_add = words(&self.host["CapAdd"]);
        self.spec.cap_drop = words(&self.host["CapDrop"]);
        // The engine adds this by itself to what sees the processes of its computer.
        let sees_all = self.spec.privileged
            || [&self.host["PidMode"], &self.host["IpcMode"]]
                .iter()
                .any(|mode| **mode == "host");
        self.spec.security_options = words(&self.host["SecurityOpt"]);
        self.spec
            .security_options
            .retain(|option| !(sees_all && option == "label=disable"));
        self.spec.sysctls = pairs(&self.host["Sysctls"]);
    }

    pub(super) fn devices(&mut self) {
        for device in items(&self.host["Devices"]) {
            let Some(path) = word(&device["PathOnHost"]) else {
                continue;
            };
            self.spec.devices.push(RunDevice {
                container: word(&device["PathInContainer"]).filter(|inside| *inside != path),
                permissions: word(&device["CgroupPermissions"]).filter(|permissions| permissions != "rwm"),
                host: path,
            });
        }
        for request in items(&self.host["DeviceRequests"]) {
            let ids = words(&request["DeviceIDs"]);
            if request["Driver"] == "cdi" {
                self.spec.devices.extend(ids.into_iter().map(|host| RunDevice {
                    host,
                    container: None,
                    permissions: None,
                }));
                continue;
            }
            let which = match request["Count"].as_i64() {
                _ if !ids.is_empty() => WhichGpus::Devices { ids },
                Some(count) if count > 0 => WhichGpus::Count {
                    count: u32::try_from(count).unwrap_or(u32::MAX),
                },
                Some(_) | None => WhichGpus::All,
            };
            let mut capabilities = items(&request["Capabilities"]).first().map(words).unwrap_or_default();
            capabilities.retain(|capability| capability != "gpu");
            if self.spec.gpus.is_some() {
                self.lost.push("a second request for GPUs".to_owned());
            }
            self.spec.gpus = Some(Gpus {
                which,
                driver: word(&request["Driver"]),
                capabilities,
            });
        }
    }

    pub(super) fn rare(&mut self, usual: &Usual) {
        let host = self.host;
        for (flag, field) in [
            ("blkio-weight", "BlkioWeight"),
            ("cpu-period", "CpuPeriod"),
            ("cpu-quota", "CpuQuota"),
            ("cpu-rt-period", "CpuRealtimePeriod"),
            ("cpu-rt-runtime", "CpuRealtimeRuntime"),
            ("cpu-shares", "CpuShares"),
            ("memory-reservation", "MemoryReservation"),
            ("oom-score-adj", "OomScoreAdj"),
            ("pids-limit", "PidsLimit"),
        ] {
            if let Some(number) = host[field].as_i64().filter(|number| *number != 0) {
                self.add(flag, number.to_string());
            }
        }
        if let Some(swappiness) = host["MemorySwappiness"].as_i64().filter(|number| *number >= 0) {
            self.add("memory-swappiness", swappiness.to_string());
        }
        // Twice the memory is what the engine makes of nothing.
        let twice = self.spec.memory.map(|memory| memory.saturating_mul(2).cast_signed());
        if let Some(swap) = host["MemorySwap"]
            .as_i64()
            .filter(|swap| *swap != 0 && Some(*swap) != twice)
        {
            self.add("memory-swap", swap.to_string());
        }
        if host["OomKillDisable"] == true {
            self.add("oom-kill-disable", "true");
        }
        let namespace = match usual.cgroup_namespace {
            Some(_) if self.spec.privileged => "host",
            Some(usual) => usual,
            None => host["CgroupnsMode"].as_str().unwrap_or_default(),
        };
        for (flag, field, left_out) in [
            ("cgroup-parent", "CgroupParent", ""),
            ("cgroupns", "CgroupnsMode", namespace),
            ("cpuset-cpus", "CpusetCpus", ""),
            ("cpuset-mems", "CpusetMems", ""),
            ("ipc", "IpcMode", "private"),
            ("pid", "PidMode", ""),
            ("runtime", "Runtime", usual.runtime.as_str()),
            ("userns", "UsernsMode", ""),
            ("uts", "UTSMode", ""),
            ("volume-driver", "VolumeDriver", ""),
        ] {
            if let Some(value) = word(&host[field]).filter(|value| value != left_out) {
                self.add(flag, value);
            }
        }
        self.rare_lists();
    }

    /// Flags that may be said several times.
    fn rare_lists(&mut self) {
        let host = self.host;
        for (flag, field) in [
            ("device-cgroup-rule", "DeviceCgroupRules"),
            ("dns-option", "DnsOptions"),
            ("dns-search", "DnsSearch"),
            ("group-add", "GroupAdd"),
            ("volumes-from", "VolumesFrom"),
        ] {
            for value in words(&host[field]) {
                self.add(flag, value);
            }
        }
        for (flag, field) in [("annotation", "Annotations"), ("storage-opt", "StorageOpt")] {
            for pair in pairs(&host[field]) {
                self.add(flag, text::pair_text(&pair));
            }
        }
        for (flag, field, amount) in [
            ("blkio-weight-device", "BlkioWeightDevice", "Weight"),
            ("device-read-bps", "BlkioDeviceReadBps", "Rate"),
            ("device-read-iops", "BlkioDeviceReadIOps", "Rate"),
            ("device-write-bps", "BlkioDeviceWriteBps", "Rate"),
            ("device-write-iops", "BlkioDeviceWriteIOps", "Rate"),
        ] {
            for device in items(&host[field]) {
                let path = device["Path"].as_str().unwrap_or_default();
                self.add(flag, format!("{path}:{}", device[amount]));
            }
        }
        // "/db:/web/database" is how the engine keeps `db:database`.
        for link in words(&host["Links"]) {
            let (from, alias) = link.split_once(':').unwrap_or((&link, ""));
            let alias = alias.rsplit('/').next().unwrap_or_default();
            let from = from.trim_start_matches('/');
            self.add("link", format!("{from}:{alias}"));
        }
        if let Some(domain) = word(&self.config["Domainname"]) {
            self.add("domainname", domain);
        }
        if let Some(mac) = word(&self.config["MacAddress"]) {
            self.add("mac-address", mac);
        }
        let published: Vec<&String> = host["PortBindings"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys())
            .collect();
        let exposed: Vec<String> = self.config["ExposedPorts"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys())
            .filter(|key| !published.contains(key) && self.image["ExposedPorts"].get(key.as_str()).is_none())
            .map(|key| key.trim_end_matches("/tcp").to_owned())
            .collect();
        for port in exposed {
            self.add("expose", port);
        }
    }
}
