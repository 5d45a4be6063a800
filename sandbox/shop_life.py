"""What happens in the shop: accounts, orders, refunds, and who signs in to the product.

Belongs here: everything customers, staff and jobs write to the shop's database.
Does not belong here: the database (`sandbox.shop`), who the people are (`sandbox.people`),
how often things happen (`sandbox.rates`).

Everybody buys in a rhythm of their own and may stop after any order. Who was called when they
came (`onboarding`) buys sooner again: that is planted. The shop changed its system a year ago;
the old one wrote no currency, four decimals and numbers that the new one gives out again. It
has dice of its own, so that the rest of the world is the same with and without it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from random import Random

from sandbox import names, texts
from sandbox.people import Organization, Person, Population
from sandbox.rates import Rates
from sandbox.shop import Shop, stamp
from sandbox.timeline import DAY, Dice, Timeline
from sandbox.truth import Truth

LEGACY, WEB = "legacy", "web"
"""The systems that orders were made in."""
FIRST_NUMBER = 1001
"""Of both systems."""

WELCOME_CALL, NO_CALL = "welcome call", "by itself"

SETTLED_AT = timedelta(hours=2, minutes=30)
"""When the job of the night books bank transfers and gives up what stays unpaid."""
HANDED_IN_AT = timedelta(hours=6)
"""When the fair's till and programs that were offline hand in what yesterday brought."""
GIVEN_UP_AFTER = timedelta(days=45)

ARTICLES = (
    ("Cotton 8/2, 1 kg", 2490), ("Linen 16/2, 250 g", 1895), ("Boat shuttle", 3450),
    ("Bobbins, 10 pieces", 1249), ("Reed, 10 dent", 8900), ("Texsolv heddles, 100", 1675),
    ("Draft library, one year", 4800), ("Brake cord", 799), ("Pedal sensor", 6420),
    ('Temple, "long" 24"', 5233),
)  # fmt: skip
"""Names and prices in cents."""
PRODUCTS = ("Loom Studio", "Loom Studio", "Draft Library")
PURCHASERS = ("orders", "purchasing", "orders", "accounts")
"""Names of a mailbox that several people of an organization buy by."""


@dataclass(slots=True, eq=False)
class Buyer:
    """Somebody who buys: a person, or an organization's shared mailbox.

    Attributes:
        account: number of the customer's account, None for a guest.
        gap_days: mean days between two orders; `leaves`: chance to stop after each.
        is_gone: deleted their account.
    """

    person: Person | None
    organization: Organization | None
    address: str
    account: int | None
    gap_days: float
    leaves: float
    currency: str = "USD"
    is_gone: bool = False

    def quiet(self, at: datetime) -> bool:
        """Whether nothing is heard of them any more."""
        if self.is_gone or (self.person is not None and self.person.quiet(at)):
            return True
        return self.organization is not None and self.organization.quiet(at)


@dataclass(slots=True, eq=False)
class Order:
    """An order as it really is; money in cents.

    Attributes:
        shown: whether the database has it yet.
        is_void: cancelled, deleted, or only a test.
    """

    system: str
    number: int
    buyer: Buyer
    currency: str
    cents: int = 0
    refunded: int = 0
    paid_at: datetime | None = None
    shown: bool = False
    is_void: bool = False

    @property
    def is_purchase(self) -> bool:
        """Whether it is paid for, and not all of it was paid back."""
        is_paid = self.paid_at is not None and self.refunded < self.cents
        return is_paid and self.shown and not self.is_void


class ShopLife:
    """Life in the shop.

    Attributes:
        orders: all that were ever made, oldest first.
        changed_system_on: when the shop moved to its present system.
    """

    def __init__(
        self,
        shop: Shop,
        timeline: Timeline,
        population: Population,
        truth: Truth,
        rates: Rates,
        *,
        changed_system_on: datetime,
    ) -> None:
        self.shop = shop
        self.time = timeline
        self.population = population
        self.truth = truth
        self.rates = rates
        self.changed_system_on = changed_system_on
        self.dice = Dice(Random(f"{timeline.seed}/shop/founding"))
        self.orders: list[Order] = []
        self._numbers = {LEGACY: FIRST_NUMBER, WEB: FIRST_NUMBER}
        self._met = self._met_organizations = 0
        self._buyers: list[Buyer] = []
        self._users: list[Buyer] = []
        self._habits: list[float] = []
        self._invoices: list[tuple[datetime, Order]] = []
        self._testers: dict[str, int] = {}

    # Coming

    def plan_day(self, midnight: datetime) -> None:
        """Plan a day: who comes, what the night's job does, who signs in, what staff try out."""
        time, rates, dice = self.time, self.rates, self.dice
        day = time.day(midnight)
        dice.rng = Random(f"{time.seed}/shop/{day}")
        # Those who were there before the world began come one after the other.
        spread = 150.0 if day == 0 else rates.shop_found_after_days
        shares = {"customer": rates.shop_customer, "prospect": rates.shop_prospect}
        people, organizations = self.population.people, self.population.organizations
        for person in people[self._met :]:
            if not person.is_staff and dice.chance(shares.get(person.kind, 0.0)):
                time.at(dice.moment(midnight) + dice.waits(spread), self._come, person)
        for organization in organizations[self._met_organizations :]:
            if organization.kind == "customer" and dice.chance(rates.shop_shared_mailbox):
                late = dice.waits(spread)
                time.at(dice.moment(midnight) + late, self._open_shared, organization)
        self._met, self._met_organizations = len(people), len(organizations)
        time.at(midnight + SETTLED_AT, self._settle)
        if self._users:
            weights = list(accumulate(self._habits))
            for _ in range(dice.poisson(weights[-1])):
                [user] = dice.rng.choices(self._users, cum_weights=weights)
                time.at(dice.moment(midnight), self._sign_in, user)
        if dice.chance(rates.shop_test_orders_per_day):
            time.at(dice.office_hour(midnight), self._try_out)

    def _come(self, at: datetime, person: Person) -> None:
        """Let somebody find the shop, with an account or as a guest."""
        dice, rates = self.dice, self.rates
        if person.quiet(at):
            return
        work = person.work_email if dice.chance(rates.shop_work_email) else None
        buyer = Buyer(
            person=person,
            organization=person.organization,
            address=work or person.private_email,
            account=None,
            gap_days=rates.shop_gap_median_days
            * dice.rng.lognormvariate(0.0, rates.shop_gap_sigma),
            leaves=dice.rng.betavariate(1.2, 1.2 / rates.shop_leaves - 1.2),
            currency=self._currency(),
        )
        if at >= self.changed_system_on:
            buyer.gap_days *= rates.shop_newcomer_gap_factor
        if not dice.chance(rates.shop_guest):
            self._open_account(at, buyer, person)
        self._buyers.append(buyer)
        self.time.at(at + dice.waits(3), self._buy, buyer)

    def _open_account(self, at: datetime, buyer: Buyer, person: Person) -> None:
        dice, rates = self.dice, self.rates
        called = dice.chance(rates.shop_welcome_call)
        name = person.home if dice.chance(rates.other_script) else person.name
        hostile = dice.chance(rates.hostile_name)
        email: str | None = self._typed(buyer.address)
        if dice.chance(rates.shop_email_missing):
            email = None
        buyer.account = self.shop.insert(
            "customers",
            email=email,
            name=dice.rng.choice(texts.HOSTILE_NAMES) if hostile else name,
            is_confirmed=int(email is not None and dice.chance(0.9)),
            onboarding=WELCOME_CALL if called else NO_CALL,
            created_at=stamp(at),
        )
        self.truth.profile("shop", "customers", buyer.account, person.id, at)
        if hostile:
            self._trap("hostile_name", "customers", buyer.account, buyer, at)
        self._note_address(at, buyer, email)
        if called:
            buyer.gap_days *= rates.shop_welcome_call_gap_factor
            self.truth.effect(
                "welcome_call",
                "person",
                person.id,
                native_id=buyer.account,
                since=at,
                value=rates.shop_welcome_call_gap_factor,
            )
        if dice.chance(rates.shop_product_user):
            self._users.append(buyer)
            self._habits.append(dice.rng.expovariate(1 / rates.logins_per_user_day))

    def _open_shared(self, at: datetime, organization: Organization) -> None:
        """Open an account by which a whole organization buys."""
        dice, rates = self.dice, self.rates
        if organization.quiet(at) or len(organization.people) < 2:
            return
        buyer = Buyer(
            person=None,
            organization=organization,
            address=f"{dice.rng.choice(PURCHASERS)}@{organization.domain}",
            account=None,
            gap_days=0.5 * rates.shop_gap_median_days,
            leaves=0.3 * rates.shop_leaves,
            currency=self._currency(),
        )
        email = self._typed(buyer.address)
        buyer.account = self.shop.insert(
            "customers",
            email=email,
            name=f"Purchasing {organization.name}",
            is_confirmed=1,
            onboarding=NO_CALL,
            created_at=stamp(at),
        )
        self.truth.profile("shop", "customers", buyer.account, None, at)
        self._trap("shared_mailbox", "customers", buyer.account, buyer, at)
        self._note_address(at, buyer, email)
        self._buyers.append(buyer)
        self.time.at(at + dice.waits(3), self._buy, buyer)

    def _currency(self) -> str:
        return "EUR" if self.dice.chance(self.rates.shop_in_euro) else "USD"

    def _typed(self, address: str) -> str:
        """Return an address the way a hurried hand leaves it in a form."""
        dice, rates = self.dice, self.rates
        if dice.chance(rates.email_upper_case):
            address = dice.rng.choice((address.upper(), address.capitalize()))
        if dice.chance(rates.shop_trailing_space):
            address += "  "
        return address

    def _note_address(self, at: datetime, buyer: Buyer, email: str | None) -> None:
        """Note what is wrong with the address of an account."""
        for trap, is_laid in (
            ("email_missing", email is None),
            ("email_upper_case", email is not None and email != email.lower()),
            ("email_trailing_space", email is not None and email != email.rstrip()),
        ):
            if is_laid:
                self._trap(trap, "customers", buyer.account, buyer, at)

    def _note_guest(self, at: datetime, buyer: Buyer, address: str) -> None:
        """Note whom an address without account stands for."""
        key = address_key(address)
        if ("shop", "customers", key) not in self.truth.profiles:
            true_id = buyer.person.id if buyer.person else None
            self.truth.profile("shop", "customers", key, true_id, at)

    # Buying

    def _buy(self, at: datetime, buyer: Buyer) -> None:
        """Let somebody order, and come back in their rhythm unless this was the last time."""
        dice, rates = self.dice, self.rates
        if buyer.quiet(at):
            return
        chance = dice.rng.random()
        if chance < rates.shop_at_fair:
            self._sell_at_fair(at, buyer)
        else:
            self._order(at, buyer, by_invoice=chance > 1 - rates.shop_by_invoice)
        if not dice.chance(buyer.leaves):
            wait = timedelta(days=dice.rng.gammavariate(2.0, buyer.gap_days / 2))
            self.time.at(at + max(wait, timedelta(hours=1)), self._buy, buyer)

    def _order(self, at: datetime, buyer: Buyer, *, by_invoice: bool) -> None:
        """Take an order in the shop; what becomes of it is thrown at once, and happens later."""
        dice, rates = self.dice, self.rates
        account, email = buyer.account, self._typed(buyer.address)
        person = buyer.person
        if person is not None and account is not None and dice.chance(rates.shop_not_signed_in):
            account, email = None, self._typed(person.private_email)
        elif account is None and dice.chance(rates.email_typo):
            email = names.mistyped_email(buyer.address, dice.rng)
        order = self._new_order(at, buyer)
        if not by_invoice:
            order.paid_at = at
        self._write(at, order, account, email, at)
        if by_invoice:
            self._invoices.append((at + dice.waits(14), order))
            self._trap("paid_by_night_job", "orders", _key(order), buyer, at)
        fate = dice.rng.random()
        for share, act in (
            (rates.shop_cancelled, self._cancel),
            (rates.shop_refunded, self._refund_all),
            (rates.shop_partly_refunded, self._refund_some),
            (rates.shop_entered_twice, self._enter_twice),
        ):
            if fate < share:
                self.time.at(at + dice.waits(6), act, order)
                return
            fate -= share

    def _sell_at_fair(self, at: datetime, buyer: Buyer) -> None:
        """Sell at the till of a fair, which hands its sales in the next morning."""
        order = self._new_order(at, buyer)
        order.paid_at = at
        known = self.dice.chance(0.8)
        morning = at.replace(hour=0, minute=0, second=0, microsecond=0) + DAY + HANDED_IN_AT
        email = self._typed(buyer.address) if known and buyer.account is None else None
        account = buyer.account if known else None
        self.time.at(morning, self._write, order, account, email, at)
        self._trap("late_row", "orders", _key(order), buyer, at)

    def _new_order(self, at: datetime, buyer: Buyer) -> Order:
        """Give out the next number of the system of the day."""
        system = WEB if at >= self.changed_system_on else LEGACY
        number = self._numbers[system]
        self._numbers[system] += 1
        order = Order(system, number, buyer, buyer.currency if system == WEB else "USD")
        if system == WEB and number < self._numbers[LEGACY]:
            self._trap("number_repeats", "orders", _key(order), buyer, at)
        self.orders.append(order)
        return order

    def _write(
        self, at: datetime, order: Order, account: int | None, email: str | None, made: datetime
    ) -> None:
        """Write an order and its lines into the database; `made`: the stamp it bears."""
        dice, rng = self.dice, self.dice.rng
        lines = []
        for line in range(1, 1 + min(4, 1 + int(rng.expovariate(1.1)))):
            article, price = rng.choice(ARTICLES)
            quantity = rng.choice((1, 1, 1, 2, 3)) * (10 if order.buyer.person is None else 1)
            lines.append((line, article, quantity, price))
        discount = rng.choice((0, 0, 0, 5, 15))
        gross = sum(quantity * price for _, _, quantity, price in lines)
        order.cents = gross - gross * discount // 100
        order.shown = True
        old = order.system == LEGACY
        total = _money(order.cents) + ("00" if old else "")
        stamped = None if old and dice.chance(self.rates.shop_stamp_missing) else stamp(made)
        self.shop.insert(
            "orders",
            system=order.system,
            number=order.number,
            customer_id=account,
            email=email,
            status="pending" if order.paid_at is None else "paid",
            is_test=0,
            currency=None if old else order.currency,
            total=total,
            current_total=total,
            note=rng.choice(texts.HOSTILE_TEXTS) if dice.chance(self.rates.shop_note) else None,
            created_at=stamp(made),
            paid_at=None if order.paid_at is None else stamp(order.paid_at),
            updated_at=stamped,
        )
        for line, article, quantity, price in lines:
            self.shop.insert(
                "order_lines",
                system=order.system,
                number=order.number,
                line=line,
                article=article,
                quantity=quantity,
                unit_price=_money(price),
            )
        if account is None and email is not None:
            self._note_guest(at, order.buyer, email)
            self._trap("guest_checkout", "orders", _key(order), order.buyer, made)
        elif account is None:
            self._trap("nobody_named", "orders", _key(order), order.buyer, made)
        if stamped is None:
            self._trap("stamp_missing", "orders", _key(order), order.buyer, made)

    # What becomes of an order

    def _cancel(self, at: datetime, order: Order) -> None:
        if not order.is_void:
            order.is_void = True
            self._change(at, order, status="cancelled")
            self._trap("cancelled", "orders", _key(order), order.buyer, at)

    def _refund_all(self, at: datetime, order: Order) -> None:
        if order.is_purchase:
            self._refund(at, order, order.cents - order.refunded)
            self._trap("refunded", "orders", _key(order), order.buyer, at)

    def _refund_some(self, at: datetime, order: Order) -> None:
        part = (order.cents - order.refunded) * self.dice.rng.randrange(10, 60) // 100
        if order.is_purchase and part:
            self._refund(at, order, part)
            self._trap("partly_refunded", "orders", _key(order), order.buyer, at)

    def _refund(self, at: datetime, order: Order, cents: int) -> None:
        order.refunded += cents
        self.shop.insert(
            "refunds",
            system=order.system,
            number=order.number,
            amount=_money(cents),
            reason=texts.thanks(self.dice.rng) if self.dice.chance(0.3) else None,
            created_at=stamp(at),
        )
        rest = order.cents - order.refunded
        status = "partially_refunded" if rest else "refunded"
        self._change(at, order, status=status, current_total=_money(rest))

    def _enter_twice(self, at: datetime, order: Order) -> None:
        """Take an order out again that was made by a second click."""
        if not order.is_void:
            order.is_void = True
            self._change(at, order, deleted_at=stamp(at))
            self._trap("entered_twice", "orders", _key(order), order.buyer, at)

    def _change(self, at: datetime, order: Order, **values: str) -> None:
        self.shop.update_order(order.system, order.number, **values, updated_at=stamp(at))

    def _settle(self, at: datetime) -> None:
        """Book bank transfers and give up old invoices: the job leaves `updated_at` alone."""
        still = []
        for due, order in self._invoices:
            if order.is_void:
                continue
            if due > at:
                still.append((due, order))
                continue
            values = {"settled_at": stamp(at)}
            if self.dice.chance(self.rates.shop_never_paid):
                order.is_void = True
                values["status"] = "cancelled"
            else:
                order.paid_at = at
                values |= {"status": "paid", "paid_at": stamp(at)}
            self.shop.update_order(order.system, order.number, **values)
        self._invoices = still

    # Signing in, trying out

    def _sign_in(self, at: datetime, user: Buyer) -> None:
        if user.quiet(at):
            return
        product = self.dice.rng.choice(PRODUCTS)
        if self.dice.chance(self.rates.login_offline):
            morning = at.replace(hour=0, minute=0, second=0, microsecond=0) + DAY + HANDED_IN_AT
            self.time.at(morning, self._note_login, user, product, at)
        else:
            self._note_login(at, user, product, at)

    def _note_login(self, at: datetime, user: Buyer, product: str, when: datetime) -> None:
        self.shop.insert(
            "logins", customer_id=user.account, product=product, occurred_at=stamp(when)
        )

    def _try_out(self, at: datetime) -> None:
        """Let one of us order something to see whether the shop works."""
        staff = [person for person in self.population.people if person.is_staff]
        if not staff:
            return
        person = self.dice.rng.choice(staff)
        buyer = Buyer(person, None, person.email, self._testers.get(person.id), 0.0, 1.0)
        if buyer.account is None and self.dice.chance(0.5):
            buyer.account = self._testers[person.id] = self.shop.insert(
                "customers",
                email=buyer.address,
                name=f"TEST {person.given}",
                is_confirmed=1,
                onboarding=None,
                created_at=stamp(at),
            )
            self.truth.profile("shop", "customers", buyer.account, person.id, at)
        order = self._new_order(at, buyer)
        order.is_void, order.paid_at = True, at
        self._write(at, order, buyer.account, buyer.address, at)
        note = "TEST, please ignore"
        self.shop.update_order(order.system, order.number, is_test=1, note=note)
        self._trap("test_order", "orders", _key(order), buyer, at)

    # What shall surely change when time moves

    def chores(self, at: datetime) -> None:
        """Do one of every kind of change: refund all and some, cancel, take out, delete."""
        recent = [order for order in self.orders[-60:] if order.is_purchase]
        if len(recent) < 8:
            return
        rng = self.dice.rng
        acts = (self._refund_all, self._refund_some, self._cancel, self._enter_twice)
        for order, act in zip(rng.sample(recent, len(acts)), acts, strict=True):
            act(at, order)
        self._try_out(at)
        known = [buyer for buyer in self._buyers if buyer.account is not None]
        if self.time.day(at) % 3 == 0 and known:
            self._delete_account(at, rng.choice(known))

    def _delete_account(self, at: datetime, buyer: Buyer) -> None:
        """Delete somebody's account at their wish; they do not come back."""
        if buyer.account is not None:
            self.shop.delete_customer(buyer.account)
            self._trap("deleted_customer", "customers", buyer.account, buyer, at)
            self._buyers.remove(buyer)
            buyer.is_gone = True

    # What is true

    def purchases(self) -> list[tuple[object, ...]]:
        """Return the truth's rows of what was bought and is not taken back."""
        return [
            (
                f"shop:orders:{_key(order)}",
                order.buyer.person.id if order.buyer.person else None,
                order.buyer.organization.id if order.buyer.organization else None,
                order.paid_at.replace(microsecond=0) if order.paid_at else None,
                Decimal(_money(order.cents - order.refunded)),
                order.currency,
            )
            for order in self.orders
            if order.is_purchase
        ]

    def profile_state(self, native_id: str) -> str:
        """Return whether a customer is there: an address in an order stays."""
        if native_id.startswith("mailto:"):
            return "live"
        there = self.shop.rows("select 1 from customers where id = ?", int(native_id))
        return "live" if there else "purged"

    def _trap(self, trap: str, stream: str, native_id: object, buyer: Buyer, at: datetime) -> None:
        person = buyer.person.id if buyer.person else None
        detail = buyer.organization.id if buyer.person is None and buyer.organization else ""
        self.truth.trap(trap, "shop", stream, native_id, person, at, detail)


def address_key(address: str) -> str:
    """Return the key of somebody of whom an address is all that is known."""
    return "mailto:" + hashlib.sha256(address.strip().lower().encode()).hexdigest()


def _key(order: Order) -> str:
    """Return an order's key, as one text for its two columns."""
    return f'["{order.system}",{order.number}]'


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
