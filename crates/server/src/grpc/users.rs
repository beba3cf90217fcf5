//! The service of users: who may sign in, and with what.
//!
//! Every change is made to the user as found, and refused if somebody was faster. When it is answered it holds: what was remembered of the user is
//! forgotten by then (`admission`, `security/watching`).

use std::sync::Arc;

use gesta_store::{Append, AppendError, EventStore, Rejection, entropy::Entropy};
use tokio_stream::Iter;
use tonic::{Request, Response, Status};

use crate::{
    admission::Admission,
    convert::recorded::ticks,
    fault::Fault,
    proto::event_store::client::users::{
        ChangePasswordReq, ChangePasswordResp, CreateReq, CreateResp, DeleteReq, DeleteResp, DetailsReq, DetailsResp,
        DisableReq, DisableResp, EnableReq, EnableResp, ResetPasswordReq, ResetPasswordResp, UpdateReq, UpdateResp,
        details_resp::{UserDetails, user_details::DateTime},
        users_server::Users,
    },
    security::{
        Action, PasswordThreads, Security, passwords,
        users::{self, FoundUser, User},
    },
};

/// The service of users.
#[derive(Clone, Debug)]
pub struct UsersService {
    store: EventStore,
    admission: Admission,
    security: Security,
    passwords: PasswordThreads,
    entropy: Arc<Entropy>,
}

fn options<T>(options: Option<T>) -> Result<T, Fault> {
    options.ok_or_else(|| Fault::Invalid("options are missing".to_owned()))
}

impl UsersService {
    /// The users of `store`.
    #[must_use]
    pub fn new(store: EventStore, admission: Admission, security: Security) -> Self {
        let passwords = security.password_threads();
        Self { store, admission, security, passwords, entropy: Arc::new(Entropy::from_os()) }
    }

    async fn find(&self, login: &str) -> Result<FoundUser, Fault> {
        let (store, wanted) = (self.store.clone(), login.to_owned());
        let found = tokio::task::spawn_blocking(move || users::find(&store, &wanted)).await;
        let found = found.expect("looking for a user does not panic, and its task is not aborted")?;
        found.ok_or_else(|| Fault::UserNotFound(login.to_owned()))
    }

    async fn kept(&self, password: String) -> Result<String, Fault> {
        let entropy = Arc::clone(&self.entropy);
        Ok(self.passwords.run(move || passwords::kept(&password, &entropy)).await??)
    }

    /// Records a change of a user who is there; somebody else may have been faster.
    async fn record(&self, login: &str, append: Append) -> Result<(), Fault> {
        match self.admission.commit(append).await {
            Ok(_) => Ok(()),
            Err(AppendError::Rejected(Rejection::WrongRevision { .. } | Rejection::StreamDeleted { .. })) => {
                Err(Fault::UserChanged(login.to_owned()))
            }
            Err(AppendError::Rejected(rejection)) => Err(Fault::Refused(rejection)),
            Err(AppendError::Failed(error)) => Err(Fault::Store(error)),
        }
    }

    async fn change(&self, login: &str, change: impl FnOnce(User) -> User) -> Result<(), Fault> {
        let FoundUser { user, revision, .. } = self.find(login).await?;
        self.record(login, change(user).change(revision)?).await
    }
}

fn told(found: FoundUser) -> DetailsResp {
    let FoundUser { user, updated, .. } = found;
    let details = UserDetails {
        login_name: user.login_name,
        full_name: user.full_name,
        groups: user.groups,
        last_updated: Some(DateTime { ticks_since_epoch: ticks(updated) }),
        disabled: user.disabled,
    };
    DetailsResp { user_details: Some(details) }
}

#[tonic::async_trait]
impl Users for UsersService {
    type DetailsStream = Iter<std::vec::IntoIter<Result<DetailsResp, Status>>>;

    async fn create(&self, request: Request<CreateReq>) -> Result<Response<CreateResp>, Status> {
        self.security.rights(&request).check(Action::ManageUsers).await?;
        let options = options(request.into_inner().options)?;
        let login = options.login_name;
        let user = User {
            login_name: login.clone(),
            full_name: options.full_name,
            groups: options.groups,
            disabled: false,
            hash: String::new(),
        };
        user.check().map_err(Fault::from)?;
        let user = User { hash: self.kept(options.password).await?, ..user };
        let recorded = self.record(&login, user.creation().map_err(Fault::from)?).await;
        recorded
            .map_err(|fault| if matches!(fault, Fault::UserChanged(_)) { Fault::UserConflict(login) } else { fault })?;
        Ok(Response::new(CreateResp {}))
    }

    async fn update(&self, request: Request<UpdateReq>) -> Result<Response<UpdateResp>, Status> {
        self.security.rights(&request).check(Action::ManageUsers).await?;
        let options = options(request.into_inner().options)?;
        // The protocol has a password here too, and the server it comes from does not look at it.
        let (full_name, groups) = (options.full_name, options.groups);
        self.change(&options.login_name, |user| User { full_name, groups, ..user }).await?;
        Ok(Response::new(UpdateResp {}))
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        self.security.rights(&request).check(Action::ManageUsers).await?;
        let login = options(request.into_inner().options)?.login_name;
        let FoundUser { user, revision, .. } = self.find(&login).await?;
        self.record(&login, user.deletion(revision).map_err(Fault::from)?).await?;
        Ok(Response::new(DeleteResp {}))
    }

    async fn enable(&self, request: Request<EnableReq>) -> Result<Response<EnableResp>, Status> {
        self.security.rights(&request).check(Action::ManageUsers).await?;
        let login = options(request.into_inner().options)?.login_name;
        self.change(&login, |user| User { disabled: false, ..user }).await?;
        Ok(Response::new(EnableResp {}))
    }

    async fn disable(&self, request: Request<DisableReq>) -> Result<Response<DisableResp>, Status> {
        self.security.rights(&request).check(Action::ManageUsers).await?;
        let login = options(request.into_inner().options)?.login_name;
        self.change(&login, |user| User { disabled: true, ..user }).await?;
        Ok(Response::new(DisableResp {}))
    }

    async fn details(&self, request: Request<DetailsReq>) -> Result<Response<Self::DetailsStream>, Status> {
        let rights = self.security.rights(&request);
        let login = request.into_inner().options.map(|options| options.login_name).filter(|login| !login.is_empty());
        let found = match login {
            Some(login) => {
                rights.check(Action::SeeUser(&login)).await?;
                vec![self.find(&login).await?]
            }
            None => {
                rights.check(Action::ManageUsers).await?;
                let store = self.store.clone();
                let all = tokio::task::spawn_blocking(move || users::all(&store)).await;
                all.expect("listing users does not panic, and its task is not aborted").map_err(Fault::from)?
            }
        };
        let told: Vec<_> = found.into_iter().map(|found| Ok(told(found))).collect();
        Ok(Response::new(tokio_stream::iter(told)))
    }

    async fn change_password(
        &self,
        request: Request<ChangePasswordReq>,
    ) -> Result<Response<ChangePasswordResp>, Status> {
        let rights = self.security.rights(&request);
        let options = options(request.into_inner().options)?;
        let login = options.login_name;
        rights.check(Action::ChangePassword(&login)).await?;
        let FoundUser { user, revision, .. } = self.find(&login).await?;
        let (current, kept) = (options.current_password, user.hash.clone());
        if !self.passwords.run(move || passwords::is_right(&current, Some(&kept))).await? {
            return Err(Fault::AccessDenied.into());
        }
        let user = User { hash: self.kept(options.new_password).await?, ..user };
        self.record(&login, user.change(revision).map_err(Fault::from)?).await?;
        Ok(Response::new(ChangePasswordResp {}))
    }

    async fn reset_password(&self, request: Request<ResetPasswordReq>) -> Result<Response<ResetPasswordResp>, Status> {
        self.security.rights(&request).check(Action::ManageUsers).await?;
        let options = options(request.into_inner().options)?;
        let login = options.login_name;
        let FoundUser { user, revision, .. } = self.find(&login).await?;
        let user = User { hash: self.kept(options.new_password).await?, ..user };
        self.record(&login, user.change(revision).map_err(Fault::from)?).await?;
        Ok(Response::new(ResetPasswordResp {}))
    }
}
