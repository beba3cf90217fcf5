//! Users of a server, as they who may look after them ask: by the service every client of the protocol has.

use tonic::Code;

use crate::{
    client::Client,
    native::ClientError,
    proto::event_store::client::users::{
        CreateReq, DetailsReq, DetailsResp, EnableReq, ResetPasswordReq, create_req, details_req, enable_req,
        reset_password_req, users_client::UsersClient,
    },
    security::users::{FIRST_GROUP, FIRST_NAME},
};

pub use crate::proto::event_store::client::users::details_resp::UserDetails;

impl Client {
    /// All users there are, by name.
    ///
    /// # Errors
    /// As every request: that the server cannot be reached or denies it.
    pub fn users(&self) -> Result<Vec<UserDetails>, ClientError> {
        Ok(self.runtime.block_on(self.details(None))?)
    }

    /// Gives a user another password; who was disabled may sign in again. If there is nobody of that name, an administrator is made.
    ///
    /// # Errors
    /// As `users`; `Store` for a name or a password that is none.
    pub fn reset_password(&self, login: &str, password: &str) -> Result<(), ClientError> {
        let mut users = UsersClient::new(self.channel.clone());
        let (login_name, new_password) = (login.to_owned(), password.to_owned());
        self.runtime.block_on(async {
            let user = match self.details(Some(login)).await {
                Ok(users) => users.into_iter().next(),
                Err(status) if status.code() == Code::NotFound => None,
                Err(status) => return Err(status),
            };
            let Some(user) = user else {
                let (full_name, groups) = (FIRST_NAME.to_owned(), vec![FIRST_GROUP.to_owned()]);
                let options = create_req::Options { login_name, password: new_password, full_name, groups };
                users.create(self.request(CreateReq { options: Some(options) })).await?;
                return Ok(());
            };
            let options = reset_password_req::Options { login_name: login_name.clone(), new_password };
            users.reset_password(self.request(ResetPasswordReq { options: Some(options) })).await?;
            if user.disabled {
                let options = enable_req::Options { login_name };
                users.enable(self.request(EnableReq { options: Some(options) })).await?;
            }
            Ok(())
        })?;
        Ok(())
    }

    async fn details(&self, login: Option<&str>) -> Result<Vec<UserDetails>, tonic::Status> {
        let options = login.map(|login| details_req::Options { login_name: login.to_owned() });
        let mut users = UsersClient::new(self.channel.clone());
        let mut told = users.details(self.request(DetailsReq { options })).await?.into_inner();
        let mut found = Vec::new();
        while let Some(DetailsResp { user_details }) = told.message().await? {
            found.extend(user_details);
        }
        Ok(found)
    }
}
