"""Puts the people of people.json into an empty database.

Dates are fixed, never "today": a test compares what a connector read with what stands here.
"""

import datetime
import json
import pathlib

from juntagrico.entity.member import Member
from juntagrico.entity.share import Share
from juntagrico_billing.models.bill import Bill, BillItem, BillItemType, BusinessYear
from juntagrico_billing.models.payment import Payment, PaymentType
from juntagrico_billing.models.settings import Settings

PEOPLE = pathlib.Path(__file__).parent.parent / "people.json"
YEAR = 2025


def seed():
    transfer = PaymentType.objects.create(name="Virement", iban="CH4431999123000889012", booking_account="1020")
    Settings.objects.create(debtor_account="1100", default_paymenttype=transfer, vat_percent=0.026)
    year = BusinessYear.objects.create(
        name=str(YEAR), start_date=datetime.date(YEAR, 1, 1), end_date=datetime.date(YEAR, 12, 31)
    )
    basket = BillItemType.objects.create(name="Panier", booking_account="3000")

    for person in json.loads(PEOPLE.read_text(encoding="utf-8")).values():
        member = add_member(person)
        if person.get("share"):
            # Issued the year before, so that a certificate can be had for YEAR - 1 and later.
            Share.objects.create(
                member=member,
                value=250,
                creation_date=datetime.date(YEAR - 1, 1, 8),
                paid_date=datetime.date(YEAR - 1, 1, 15),
                issue_date=datetime.date(YEAR - 1, 2, 1),
            )
        for month in range(1, person["bills"] + 1):
            add_bill(member, year, basket, transfer, month, paid=month < person["bills"])


def add_member(person):
    member = Member.objects.create(
        first_name=person["first_name"],
        last_name=person["last_name"],
        email=person["email"],
        addr_street=person["street"],
        addr_zipcode=person["postcode"],
        addr_location=person["city"],
        birthday=datetime.date.fromisoformat(person["birth_date"]),
        phone=person["phone"],
        mobile_phone=person.get("mobile_phone"),
        iban=person["iban"],
    )
    # Creating a member resets this: the application wants the e-mail confirmed by its link first.
    member.confirmed = True
    if person.get("deactivated"):
        member.deactivation_date = datetime.date(YEAR, 6, 30)
    member.save()
    # The account stands behind the member and was made with it.
    member.user.set_password(person["password"])
    member.user.save()
    return member


def add_bill(member, year, kind, transfer, month, paid):
    """One bill a month; the amount grows by one euro and a cent so that no two are alike."""
    amount = round(40 + month * 1.01, 2)
    day = datetime.date(YEAR, month, 5)
    bill = Bill.objects.create(
        business_year=year,
        member=member,
        bill_date=day,
        booking_date=day,
        amount=amount,
        paid=paid,
        published=True,
        public_notes=f"Facture {month:02}/{YEAR}",
    )
    BillItem.objects.create(bill=bill, custom_item_type=kind, description=f"Mois {month:02}", amount=amount)
    if paid:
        Payment.objects.create(bill=bill, type=transfer, paid_date=datetime.date(YEAR, month, 20), amount=amount)
