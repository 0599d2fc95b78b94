use futures::stream::BoxStream;

use crate::{App, Problem, TerminalInput, TerminalOutput, TerminalRef};

pub(crate) async fn session(
    app: &App,
    terminal: TerminalRef,
    inputs: BoxStream<'static, TerminalInput>,
) -> Result<BoxStream<'static, Result<TerminalOutput, Problem>>, Problem> {
    Ok(app.parts.terminals.get(terminal.id)?.look(inputs))
}
