"""Tables that wxauth has never seen. ``USER`` stands for the host's user model, whatever it is."""

import uuid

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models.functions import Lower

USER = settings.AUTH_USER_MODEL
USER_NAME = "username" if USER == "auth.User" else "email"  # unique in the user model


class Order(models.Model):
    user = models.ForeignKey(USER, models.CASCADE)
    text = models.CharField(max_length=20, default="")


class Note(models.Model):
    """Rows that the default manager hides."""

    class Visible(models.Manager):
        def get_queryset(self):
            return super().get_queryset().filter(hidden=False)

    user = models.ForeignKey(USER, models.SET_NULL, null=True, related_name="+")
    hidden = models.BooleanField(default=False)

    objects = Visible()

    class Meta:
        base_manager_name = "objects"


class Passport(models.Model):
    user = models.OneToOneField(USER, models.CASCADE)


class Locker(models.Model):
    """The user is its primary key."""

    user = models.OneToOneField(USER, models.CASCADE, primary_key=True)


class Vote(models.Model):
    user = models.ForeignKey(USER, models.CASCADE)
    poll = models.IntegerField()
    weight = models.IntegerField(default=1)

    class Meta:
        unique_together = [("user", "poll")]


class Subscription(models.Model):
    """One that is active per channel; old ones as many as there were."""

    user = models.ForeignKey(USER, models.CASCADE)
    channel = models.CharField(max_length=20)
    active = models.BooleanField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "channel"],
                condition=models.Q(active=True),
                name="host_one_active_subscription",
            )
        ]


class Label(models.Model):
    """Unique by an expression, which only the database understands."""

    user = models.ForeignKey(USER, models.CASCADE)
    text = models.CharField(max_length=20)

    class Meta:
        constraints = [
            models.UniqueConstraint("user", Lower("text"), name="host_one_label_per_text")
        ]


class Seat(models.Model):
    """Unique when the transaction ends."""

    user = models.ForeignKey(USER, models.CASCADE)
    row = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "row"],
                deferrable=models.Deferrable.DEFERRED,
                name="host_one_seat_per_row",
            )
        ]


class Club(models.Model):
    name = models.CharField(max_length=20)
    members = models.ManyToManyField(USER, related_name="clubs")


class Friendship(models.Model):
    """A row with two users."""

    giver = models.ForeignKey(USER, models.CASCADE, related_name="+")
    taker = models.ForeignKey(USER, models.CASCADE, related_name="+")

    class Meta:
        unique_together = [("giver", "taker")]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(giver=models.F("taker")), name="host_no_friend_of_oneself"
            )
        ]


class Message(models.Model):
    """Points to a message, which points to a user."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    author = models.ForeignKey(USER, models.CASCADE)
    answers = models.ForeignKey("self", models.CASCADE, null=True)


class Mention(models.Model):
    """Points to users by their name."""

    user = models.ForeignKey(USER, models.CASCADE, to_field=USER_NAME)


class Customer(get_user_model()):
    """A child of the user model, in a table of its own."""

    level = models.IntegerField(default=0)
    boss = models.ForeignKey(USER, models.SET_NULL, null=True, related_name="+")
    friends = models.ManyToManyField("self")

    objects = models.Manager()

    class Meta:
        verbose_name = "customer"


class Invoice(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)


class Member(get_user_model()):
    objects = models.Manager()

    class Meta:
        proxy = True


class Ticket(models.Model):
    """Points to a proxy of the user model."""

    member = models.ForeignKey(Member, models.CASCADE)


class Tag(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.CharField(max_length=64)
    target = GenericForeignKey()


class Grant(models.Model):
    """A right of one user on something."""

    user = models.ForeignKey(USER, models.CASCADE)
    permission = models.ForeignKey("auth.Permission", models.CASCADE)


class Report(models.Model):
    """A view that is not there."""

    user = models.ForeignKey(USER, models.DO_NOTHING, related_name="+")

    class Meta:
        managed = False
