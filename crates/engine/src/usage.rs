//! What an engine's disk holds, asked only while somebody looks.

use std::time::Duration;

use crate::error::Subject;
use crate::transport::Call;
use crate::{DiskUsage, Engine, Error, wire};

/// Measuring a disk with many layers takes the engine a while.
pub(crate) const MEASURE: Duration = Duration::from_mins(2);

impl Engine {
    pub async fn disk_usage(&self) -> Result<DiskUsage, Error> {
        let call = Call::get("/system/df", Subject::Engine, "measure its disk").within(MEASURE);
        let usage: wire::DiskUsage = self.client().await?.value(call).await?;
        Ok(disk_usage(&usage))
    }
}

fn bytes(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(0)
}

fn total<T>(usage: Option<&wire::DiskUsageOf<T>>) -> Option<u64> {
    usage.map(|usage| bytes(usage.total_size))
}

pub(crate) fn disk_usage(usage: &wire::DiskUsage) -> DiskUsage {
    DiskUsage {
        images: total(usage.image_usage.as_ref()).unwrap_or_else(|| bytes(usage.layers_size.unwrap_or(0))),
        containers: total(usage.container_usage.as_ref()).unwrap_or_else(|| {
            usage
                .containers
                .iter()
                .map(|container| bytes(container.size_rw.unwrap_or(0)))
                .sum()
        }),
        volumes: total(usage.volume_usage.as_ref()).unwrap_or_else(|| {
            usage
                .volumes
                .iter()
                .filter_map(|volume| volume.usage_data.as_ref())
                .map(|usage| bytes(usage.size))
                .sum()
        }),
        build_cache: total(usage.build_cache_usage.as_ref()).unwrap_or_else(|| {
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
}
