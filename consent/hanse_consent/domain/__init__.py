"""What is said, registered and agreed: types only, checked at the door. Imports nothing of the other rooms."""
