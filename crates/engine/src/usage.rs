//! What containers cost, asked only while somebody looks.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::Instant;

use crate::error::Subject;
use crate::transport::Call;
use crate::{ContainerState, DiskUsage, Engine, Error, wire};

/// How many containers are asked at once. Each question makes the engine read a dozen files.
const AT_ONCE: usize = 8;

/// Measuring a disk with many layers takes the engine a while.
const MEASURE: Duration = Duration::from_mins(2);

/// The running containers at one moment.
#[derive(Clone, Debug)]
pub struct Load {
    pub at: Instant,
    containers: HashMap<String, Used>,
}

#[derive(Clone, Copy, Debug)]
struct Used {
    memory: u64,
    /// Processor time since it started.
    cpu: Duration,
}

impl Load {
    /// Bytes, without what the kernel only keeps as cache.
    pub fn memory(&self) -> u64 {
        self.containers.values().map(|used| used.memory).sum()
    }

    /// Of one core: 100 is one core. Containers that started or ended in between are left out.
    pub fn percent_since(&self, before: &Load) -> f32 {
        let took = self.at.duration_since(before.at).as_secs_f32();
        if took <= 0.0 {
            return 0.0;
        }
        let used: Duration = self
            .containers
            .iter()
            .filter_map(|(id, now)| Some(now.cpu.saturating_sub(before.containers.get(id)?.cpu)))
            .sum();
        100.0 * used.as_secs_f32() / took
    }
}

impl Engine {
    pub async fn disk_usage(&self) -> Result<DiskUsage, Error> {
        let call = Call::get("/system/df", Subject::Engine, "measure its disk").within(MEASURE);
        let usage: wire::DiskUsage = self.client().await?.value(call).await?;
        Ok(disk_usage(&usage))
    }

    pub async fn load(&self) -> Result<Load, Error> {
        let client = self.client().await?;
        let running = self
            .containers(false)
            .await?
            .into_iter()
            .filter(|container| matches!(container.state, ContainerState::Running | ContainerState::Paused));
        let mut answers = futures::stream::iter(running.map(|container| {
            let client = &client;
            async move {
                let path = format!("/containers/{}/stats", container.id);
                let call = Call::get(path, Subject::Engine, "measure a container")
                    .query("stream", "0")
                    .query("one-shot", "1");
                let answer = client.value::<wire::Stats>(call).await;
                (container.id, answer)
            }
        }))
        .buffer_unordered(AT_ONCE);
        let mut load = Load {
            at: Instant::now(),
            containers: HashMap::new(),
        };
        while let Some((id, answer)) = answers.next().await {
            // One that stopped meanwhile costs nothing.
            if let Ok(stats) = answer {
                let cpu = Duration::from_nanos(stats.cpu_stats.cpu_usage.total_usage);
                load.containers.insert(
                    id,
                    Used {
                        memory: memory(&stats.memory_stats),
                        cpu,
                    },
                );
            }
        }
        Ok(load)
    }
}

/// As `docker stats` counts: the cache of files that nobody used lately is not a cost (`inactive_file` in cgroup v2,
/// `total_inactive_file` in v1).
fn memory(stats: &wire::MemoryStats) -> u64 {
    let cache = stats
        .stats
        .get("total_inactive_file")
        .or_else(|| stats.stats.get("inactive_file"));
    stats.usage.saturating_sub(cache.copied().unwrap_or(0))
}

fn disk_usage(usage: &wire::DiskUsage) -> DiskUsage {
    let bytes = |size: i64| u64::try_from(size).unwrap_or(0);
    let total = |usage: &Option<wire::DiskUsageTotal>| usage.as_ref().map(|usage| bytes(usage.total_size));
    DiskUsage {
        images: total(&usage.image_usage).unwrap_or_else(|| bytes(usage.layers_size.unwrap_or(0))),
        containers: total(&usage.container_usage).unwrap_or_else(|| {
            usage
                .containers
                .iter()
                .map(|container| bytes(container.size_rw.unwrap_or(0)))
                .sum()
        }),
        volumes: total(&usage.volume_usage).unwrap_or_else(|| {
            usage
                .volumes
                .iter()
                .filter_map(|volume| volume.usage_data.as_ref())
                .map(|usage| bytes(usage.size))
                .sum()
        }),
        build_cache: total(&usage.build_cache_usage).unwrap_or_else(|| {
            usage
                .build_cache
                .iter()
                .filter(|cache| !cache.shared)
                .map(|cache| bytes(cache.size))
                .sum()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_usage_is_read_in_both_forms() {
        let expected = DiskUsage {
            images: 100,
            containers: 20,
            volumes: 3,
            build_cache: 4,
        };
        for json in [
            r#"{"LayersSize":100,"Images":[],"Containers":[{"SizeRw":20},{}],
                "Volumes":[{"UsageData":{"Size":3,"RefCount":1}},{"UsageData":{"Size":-1}},{}],
                "BuildCache":[{"Size":4,"Shared":false},{"Size":90,"Shared":true}]}"#,
            r#"{"ImageUsage":{"TotalSize":100},"ContainerUsage":{"TotalSize":20},"VolumeUsage":{"TotalSize":3},
                "BuildCacheUsage":{"TotalSize":4}}"#,
        ] {
            let usage: wire::DiskUsage = serde_json::from_str(json).expect("usage");
            assert_eq!(disk_usage(&usage), expected);
        }
    }

    #[test]
    fn two_samples_make_a_percentage() {
        let at = Instant::now();
        let used = |millis| Used {
            memory: 10,
            cpu: Duration::from_millis(millis),
        };
        let before = Load {
            at,
            containers: [("a".into(), used(1000)), ("gone".into(), used(9000))].into(),
        };
        let now = Load {
            at: at + Duration::from_secs(2),
            containers: [("a".into(), used(2000)), ("new".into(), used(5000))].into(),
        };
        assert!((now.percent_since(&before) - 50.0).abs() < 0.01);
        assert!(now.percent_since(&now).abs() < 0.01);
        assert_eq!(now.memory(), 20);
    }

    #[test]
    fn the_kernel_s_cache_is_not_a_cost() {
        let stats: wire::MemoryStats =
            serde_json::from_str(r#"{"usage":100,"stats":{"total_inactive_file":40,"inactive_file":1}}"#)
                .expect("stats");
        assert_eq!(memory(&stats), 60);
    }
}
