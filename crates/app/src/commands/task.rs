use crate::{App, Code, Problem, Task, TaskRef};

pub(crate) async fn list(app: &App) -> Result<Vec<Task>, Problem> {
    Ok(app.parts.tasks.list())
}

pub(crate) async fn cancel(app: &App, task: TaskRef) -> Result<(), Problem> {
    if app.parts.tasks.cancel(&task.id) {
        Ok(())
    } else {
        Err(Problem::plain(Code::NotFound, "That work is not there any more"))
    }
}

pub(crate) async fn dismiss(app: &App, task: TaskRef) -> Result<(), Problem> {
    app.parts.tasks.dismiss(&task.id);
    Ok(())
}
