//! What a page says into a stream that it has opened.

use futures::Stream;
use futures::stream;
use serde_json::Value;
use tokio::sync::mpsc;

/// The app's end. Ends when the page's [`Say`] is dropped.
pub struct Inputs(mpsc::UnboundedReceiver<Value>);

/// The page's end. Nothing waits here: a page that had to wait could not say that it has read what keeps the other
/// side from reading. What piles up is what a person types and pastes.
#[derive(Clone)]
pub struct Say(mpsc::UnboundedSender<Value>);

impl Inputs {
    pub fn new() -> (Say, Inputs) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Say(sender), Inputs(receiver))
    }

    /// For streams into which nothing is said.
    pub fn none() -> Inputs {
        Inputs::new().1
    }

    pub(crate) fn into_stream(self) -> impl Stream<Item = Value> + Send + 'static {
        stream::unfold(self.0, |mut receiver| async move {
            let value = receiver.recv().await?;
            Some((value, receiver))
        })
    }
}

impl Say {
    /// A stream that takes nothing, or has ended, misses nothing.
    pub fn say(&self, input: Value) {
        let _ = self.0.send(input);
    }
}
