"""What a test can do with people on the web: pages, grants, followers, pictures."""

from wxauth.simulator.errors import SimulatorError
from wxauth.simulator.world import OFFICIAL_ACCOUNT, World


class WebControls:
    """The handles of the web. Each raises ``SimulatorError`` for what does not exist."""

    world: World

    def oauth_code(
        self, user: str, app_id: str, *, scope: str | None = None, is_snapshot: bool = False
    ) -> str:
        """
        Return the code of an authorisation: what a page, or a mobile app's SDK, ends in.

        ``scope`` None is the app's usual one, with the profile. ``is_snapshot``: the page ran as
        a snapshot, and the code stands for nobody.
        """
        return self.world.authorize(user, app_id, scope=scope, is_snapshot=is_snapshot)

    def approve_as(self, user: str | None) -> None:
        """Let this person allow at once what the pages ask for; None: the pages show a form."""
        if user is not None:
            self.world.person(user)
        with self.world.lock:
            self.world.approver = user

    def sign_in_desktop(self, user: str | None) -> None:
        """Sign the person in to WeChat on the computer, who need not scan; None: nobody."""
        if user is not None:
            self.world.person(user)
        with self.world.lock:
            self.world.desktop = user

    def change_password(self, user: str) -> None:
        """Change the person's WeChat password, which voids all they have granted: 42007."""
        with self.world.lock:
            self.world.grants.void(self.world.person(user).name)

    def change_avatar(self, user: str) -> None:
        """Give the person another picture: the address of the old one answers 404."""
        with self.world.lock:
            self.world.avatars.change(self.world.person(user).name)

    def subscribe(self, user: str, app_id: str, *, is_subscribed: bool = True) -> None:
        """Let the person follow the official account, or leave it."""
        if self.world.app(app_id).kind != OFFICIAL_ACCOUNT:
            raise SimulatorError(f"{app_id} is no official account: nobody follows it")
        with self.world.lock:
            self.world.openid(user, app_id)
            if is_subscribed:
                self.world.following.setdefault((user, app_id), self.world.now())
            else:
                self.world.following.pop((user, app_id), None)
