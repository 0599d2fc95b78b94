//! What the engine answers, as far as it is read. Everything may be missing and every word may be new: engines of
//! many versions and makers answer, and one odd container must not hide the others.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Deserializer};

/// `null` where a list or a map is meant.
fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The keys of an object whose values are not read.
#[expect(clippy::zero_sized_map_values, reason = "serde has no set of an object's keys")]
fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let map = Option::<BTreeMap<String, serde::de::IgnoredAny>>::deserialize(deserializer)?;
    Ok(map.unwrap_or_default().into_keys().collect())
}

/// What waiting for a container is answered with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Ended {
    pub(crate) status_code: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Container {
    pub(crate) id: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) names: Vec<String>,
    pub(crate) image: String,
    #[serde(rename = "ImageID")]
    pub(crate) image_id: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) command: String,
    pub(crate) created: i64,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) ports: Vec<Port>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) state: String,
    pub(crate) status: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) network_settings: Networks,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) mounts: Vec<Mount>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Mount {
    /// Of the volume, when it is one.
    #[serde(deserialize_with = "or_empty")]
    pub(crate) name: String,
    #[serde(rename = "Type", deserialize_with = "or_empty")]
    pub(crate) kind: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) source: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) destination: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Networks {
    #[serde(deserialize_with = "keys")]
    pub(crate) networks: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Port {
    #[serde(rename = "IP", deserialize_with = "or_empty")]
    pub(crate) ip: String,
    #[serde(rename = "PrivatePort")]
    pub(crate) private: u16,
    #[serde(rename = "PublicPort")]
    pub(crate) public: Option<u16>,
    #[serde(rename = "Type")]
    pub(crate) protocol: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ContainerInspect {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The image's id.
    pub(crate) image: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) config: ContainerConfig,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) host_config: HostConfig,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) state: ContainerState,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) mounts: Vec<Mount>,
}

/// What a header says of a file in a container.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PathStat {
    #[serde(deserialize_with = "or_empty")]
    pub(crate) link_target: String,
    /// As Go writes it: the highest bit is a folder.
    pub(crate) mode: u32,
}

/// `/containers/{id}/changes`: 0 changed, 1 added, 2 deleted.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PathChange {
    pub(crate) path: String,
    pub(crate) kind: u8,
}

/// `/containers/{id}/top`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Top {
    #[serde(deserialize_with = "or_empty")]
    pub(crate) titles: Vec<String>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) processes: Vec<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct HostConfig {
    pub(crate) auto_remove: bool,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) restart_policy: crate::trash::RestartPolicy,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) pid_mode: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ContainerState {
    pub(crate) running: bool,
    pub(crate) paused: bool,
    #[serde(rename = "OOMKilled")]
    pub(crate) oom_killed: bool,
    /// As the engine's own kernel counts.
    pub(crate) pid: i64,
}

/// `/exec/{id}/json`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ExecInspect {
    pub(crate) running: bool,
    pub(crate) exit_code: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ContainerConfig {
    pub(crate) tty: bool,
    pub(crate) open_stdin: bool,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) user: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Image {
    pub(crate) id: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) repo_tags: Vec<String>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) repo_digests: Vec<String>,
    pub(crate) size: i64,
    pub(crate) created: i64,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) labels: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ImageInspect {
    pub(crate) id: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) repo_tags: Vec<String>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) repo_digests: Vec<String>,
    pub(crate) size: i64,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) created: String,
    pub(crate) architecture: String,
    pub(crate) os: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) config: ImageConfig,
    #[serde(rename = "RootFS", deserialize_with = "or_empty")]
    pub(crate) root_fs: RootFs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RootFs {
    #[serde(deserialize_with = "or_empty")]
    pub(crate) layers: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct HistoryStep {
    pub(crate) created: i64,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) created_by: String,
    pub(crate) size: i64,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) comment: String,
}

/// `/system/df`, as far as it is about images.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ImageUsage {
    #[serde(deserialize_with = "or_empty")]
    pub(crate) images: Vec<ImageUsed>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ImageUsed {
    pub(crate) id: String,
    /// -1 when the engine did not measure it.
    pub(crate) shared_size: i64,
}

/// One line of what a load says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LoadLine {
    pub(crate) stream: String,
    pub(crate) error: Option<String>,
    pub(crate) error_detail: Option<PullError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ImageConfig {
    #[serde(deserialize_with = "keys")]
    pub(crate) exposed_ports: Vec<String>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) env: Vec<String>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) entrypoint: Vec<String>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) cmd: Vec<String>,
    #[serde(deserialize_with = "keys")]
    pub(crate) volumes: Vec<String>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) working_dir: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) user: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Created {
    pub(crate) id: String,
}

/// `/version`. Without `ApiVersion` whoever answers is no engine.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Version {
    #[serde(rename = "ApiVersion")]
    pub(crate) api: String,
    #[serde(rename = "MinAPIVersion", default)]
    pub(crate) min_api: Option<String>,
    #[serde(rename = "Version", default)]
    pub(crate) engine: String,
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) components: Vec<Component>,
    #[serde(default)]
    pub(crate) arch: String,
    #[serde(rename = "KernelVersion", default)]
    pub(crate) kernel: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Component {
    pub(crate) name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Info {
    pub(crate) operating_system: String,
    #[serde(rename = "NCPU")]
    pub(crate) cpus: u32,
    pub(crate) mem_total: u64,
}

/// `/info`, as far as it is about registries.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RegistryInfo {
    pub(crate) docker_root_dir: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) registry_config: RegistryConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RegistryConfig {
    #[serde(rename = "InsecureRegistryCIDRs", deserialize_with = "or_empty")]
    pub(crate) insecure_networks: Vec<String>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) index_configs: BTreeMap<String, IndexConfig>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) mirrors: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct IndexConfig {
    pub(crate) secure: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Event {
    #[serde(rename = "Type")]
    pub(crate) kind: String,
    pub(crate) action: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) actor: Actor,
    /// Unix time; engines that are not Docker may give seconds alone.
    #[serde(rename = "time")]
    pub(crate) seconds: i64,
    #[serde(rename = "timeNano")]
    pub(crate) nanos: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Actor {
    #[serde(rename = "ID", deserialize_with = "or_empty")]
    pub(crate) id: String,
    /// Labels too.
    #[serde(deserialize_with = "or_empty")]
    pub(crate) attributes: BTreeMap<String, String>,
}

/// One line of a pull.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PullLine {
    pub(crate) id: Option<String>,
    pub(crate) status: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) progress_detail: PullDetail,
    pub(crate) error: Option<String>,
    pub(crate) error_detail: Option<PullError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PullDetail {
    pub(crate) current: Option<i64>,
    pub(crate) total: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PullError {
    pub(crate) message: String,
}

/// `/system/df` up to API 1.51; from 1.52 on the same figures are in the `…Usage` fields.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DiskUsage {
    pub(crate) layers_size: Option<i64>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) images: Vec<DiskUsageImage>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) containers: Vec<DiskUsageContainer>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) volumes: Vec<DiskUsageVolume>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) build_cache: Vec<DiskUsageCache>,
    pub(crate) image_usage: Option<DiskUsageOf<DiskUsageImage>>,
    pub(crate) container_usage: Option<DiskUsageOf<DiskUsageContainer>>,
    pub(crate) volume_usage: Option<DiskUsageOf<DiskUsageVolume>>,
    pub(crate) build_cache_usage: Option<DiskUsageOf<DiskUsageCache>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DiskUsageImage {
    pub(crate) id: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) repo_tags: Vec<String>,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) repo_digests: Vec<String>,
    pub(crate) size: i64,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    /// What other images have as well; -1 when the engine did not measure it.
    pub(crate) shared_size: i64,
    pub(crate) created: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DiskUsageContainer {
    pub(crate) id: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) names: Vec<String>,
    #[serde(rename = "ImageID")]
    pub(crate) image_id: String,
    pub(crate) state: String,
    pub(crate) status: String,
    pub(crate) size_rw: Option<i64>,
}

/// `/volumes`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Volumes {
    #[serde(deserialize_with = "or_empty")]
    pub(crate) volumes: Vec<Volume>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Volume {
    pub(crate) name: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) created_at: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DiskUsageVolume {
    pub(crate) name: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) created_at: String,
    pub(crate) usage_data: Option<VolumeUsage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct VolumeUsage {
    /// -1 when the engine did not measure it.
    pub(crate) size: i64,
    /// How many containers have it; -1 as above.
    pub(crate) ref_count: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DiskUsageCache {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) description: String,
    pub(crate) in_use: bool,
    pub(crate) size: i64,
    /// Counted with the images already.
    pub(crate) shared: bool,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) created_at: String,
    pub(crate) last_used_at: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", bound = "T: Deserialize<'de>")]
pub(crate) struct DiskUsageOf<T> {
    #[serde(default)]
    pub(crate) total_size: i64,
    /// Only when asked for in detail.
    #[serde(default = "Vec::new", deserialize_with = "or_empty")]
    pub(crate) items: Vec<T>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Stats {
    /// When it was read, in words; the year one for a container that does not run.
    pub(crate) read: String,
    #[serde(rename = "memory_stats", deserialize_with = "or_empty")]
    pub(crate) memory: MemoryStats,
    #[serde(rename = "cpu_stats", deserialize_with = "or_empty")]
    pub(crate) cpu: CpuStats,
    /// By interface. None for a container on the machine's own network.
    #[serde(deserialize_with = "or_empty")]
    pub(crate) networks: HashMap<String, NetworkStats>,
    #[serde(rename = "blkio_stats", deserialize_with = "or_empty")]
    pub(crate) disk: DiskStats,
    #[serde(rename = "pids_stats", deserialize_with = "or_empty")]
    pub(crate) pids: PidsStats,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NetworkStats {
    pub(crate) rx_bytes: u64,
    pub(crate) tx_bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DiskStats {
    #[serde(deserialize_with = "or_empty")]
    pub(crate) io_service_bytes_recursive: Vec<DiskCount>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DiskCount {
    pub(crate) op: String,
    pub(crate) value: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PidsStats {
    #[serde(deserialize_with = "or_empty")]
    pub(crate) current: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MemoryStats {
    pub(crate) usage: u64,
    pub(crate) limit: u64,
    #[serde(deserialize_with = "or_empty")]
    pub(crate) stats: HashMap<String, u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CpuStats {
    #[serde(deserialize_with = "or_empty")]
    pub(crate) cpu_usage: CpuUsage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CpuUsage {
    /// Nanoseconds of processor time since the container started.
    pub(crate) total_usage: u64,
}
