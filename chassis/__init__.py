"""What every service needs and no customer would name: the chassis they are built on."""
