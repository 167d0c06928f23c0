"""The policies that Hanse ships, one a file. `hanse_governance.policy.all_policies` finds them."""
