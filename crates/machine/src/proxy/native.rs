//! The settings of Windows and macOS. A proxy chosen by a script is not told of there, so it counts as none.

use super::Desktop;

pub(super) async fn read() -> Desktop {
    let asked = tokio::task::spawn_blocking(proxy_cfg::get_proxy_config).await;
    let Ok(Ok(Some(found))) = asked else {
        return Desktop::default();
    };
    let address = |scheme: &str| found.proxies.get(scheme).or_else(|| found.proxies.get("*")).cloned();
    let mut except: Vec<String> = found.whitelist.iter().cloned().collect();
    // They come in any order, and what has not changed is to look the same every time.
    except.sort();
    Desktop {
        http: address("http"),
        https: address("https"),
        except,
        unsupported: None,
    }
}
